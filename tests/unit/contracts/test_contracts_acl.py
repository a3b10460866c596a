"""The users' rules as text; what real stores make of them is in tests/contract_ledger."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orion_contracts import keys
from orion_contracts.acl import OUTSIDE, ROLES, USERS, acl_file
from orion_contracts.errors import Misconfigured

PASSWORDS = {user: f"secret-of-{user}" for user in USERS}
GLOBS = [re.compile(re.escape(p).replace(r"\[\^", "[^").replace(r"\]", "]").replace(r"\*", ".*"),
                    re.DOTALL) for p in OUTSIDE]  # fmt: skip
PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


@given(st.integers(1, len(keys.PREFIX)), PRINTABLE)
def test_callbacks_are_all_keys_outside_our_prefix_and_no_other(length: int, rest: str) -> None:
    """Every name, however much of it looks like ours."""
    for name in (rest, keys.PREFIX[:length], keys.PREFIX[:length] + rest):
        matched = any(glob.fullmatch(name) for glob in GLOBS)

        assert matched is not name.startswith(keys.PREFIX)


def test_one_line_for_each_user_and_no_password_in_it() -> None:
    """`default` off, the roles with hashes, the probe."""
    text = acl_file(PASSWORDS)
    names = [line.split()[1] for line in text.splitlines()]

    assert names == ["default", *USERS, "probe"]
    assert text.startswith("user default off resetpass ~* &* +@all\n")
    assert not any(password in text for password in PASSWORDS.values())
    assert text == acl_file(dict(reversed(PASSWORDS.items())))


@pytest.mark.parametrize("user", USERS)
def test_a_missing_password_is_named(user: str) -> None:
    """No user without one: neither absent nor empty."""
    for wrong in ({k: v for k, v in PASSWORDS.items() if k != user}, {**PASSWORDS, user: ""}):
        with pytest.raises(Misconfigured, match=user):
            acl_file(wrong)


def test_only_the_operator_loads_code_and_no_role_has_a_category_or_all_keys() -> None:
    """Rights are spelled one by one."""
    for role in ROLES:
        rules = list(role.rules())

        assert ("+function|load" in rules) == (role.name == "operator")
        assert not [rule for rule in rules if "@" in rule and rule != "-@all"]
        assert not [r for r in rules if r in ("~*", "%R~*", "%W~*", "&*", "allkeys", "allchannels")]
