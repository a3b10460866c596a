#!lua name=orion
-- The request ledger: a request's record is the truth, streams are doorbells. Every transition of a
-- record happens in one function of this library, so that a crash between two steps cannot exist.
-- States: QUEUED -> ASSIGNED -> RUNNING -> COMPLETED | FAILED | EXPIRED | CANCELLED | REJECTED.
local VERSION = 4
local P = 'orion:inference:'
local QUEUE, DUE, NODES, BYTES = P .. 'queue', P .. 'due', P .. 'nodes', P .. 'bytes'
local EVENTS, DEAD, PLANNER, CLOCK = P .. 'events', P .. 'dead', P .. 'planner', P .. 'clock'
local TERMINAL = { COMPLETED = 1, FAILED = 1, EXPIRED = 1, CANCELLED = 1, REJECTED = 1 }
local RECORD_TTL_MS, ANSWER_TTL_MS, ALIVE_BUSY_MS = 86400000, 3600000, 4000
local JUMP_MS = 2000
local FACTS_BYTES = 300 -- what a run measured travels with the doorbell: longer facts stay at home
local MOST_MS = 1e13 -- any time is below: a queue's score is class * 1e13 + time
local LEDGER = 'orion-inference-ledger' -- the source of what is no process' own message
local FINAL_SEQ = '999999999' -- a final's stream id is attempt-FINAL_SEQ: after every chunk of its attempt

local INCARNATIONS = P .. 'incarnations' -- node -> its worker's last life; outlives its sign of life, and the board's leaving
local MOST_KNOWN = 1000 -- names that are kept after their boards left

local function record(id) return P .. 'req:' .. id end
local function inflight(node) return P .. 'inflight:' .. node end
local function alive(node) return P .. 'alive:' .. node end
local function doorbell(node) return P .. 'requests:' .. node end
local function answers(id) return P .. 'responses:' .. id end

local function failed(x) return type(x) == 'table' and x.err end

-- A time or an offset that the clock's key holds. Anything else was written by somebody else and
-- counts as none: the planner sees a step of the clock and corrects it.
local function sane(x)
  local n = tonumber(x)
  return n and math.abs(n) < MOST_MS and n or 0
end

-- The ledger's own clock, ms: store time plus an offset that the planner corrects when the store's
-- clock was stepped, so that no stored deadline, lease or queue position ever has to be rewritten.
-- The second value: it was stepped back and not corrected yet, so the clock stands still.
local function now()
  local t, c = redis.call('TIME'), redis.pcall('HMGET', CLOCK, 'offset', 'last')
  if failed(c) then -- a key of another type
    redis.pcall('DEL', CLOCK)
    c = {}
  end
  local ms = t[1] * 1000 + math.floor(t[2] / 1000) + sane(c[1])
  local last = sane(c[2])
  if ms < last then return last, true end
  return ms, false
end

-- Arguments are checked before the first write: a script that raises is not rolled back.
local function number(x, name)
  local n = tonumber(x)
  if not n or n ~= n or n == math.huge or n == -math.huge then error('orion: ' .. name .. ' must be a number') end
  return n
end

-- Lua numbers print as 1.78e+12 by default; ids and scores need all digits.
local function int(n) return string.format('%.0f', n) end

local FACTS = { 'state', 'attempt', 'crashes', 'losses', 'refusals', 'token', 'node', 'worker', 'callback',
  'mailbox', 'deadline', 'accepted', 'score', 'bytes', 'model', 'stream', 'cancel', 'done', 'history' }
local WHOLE = { 'attempt', 'crashes', 'losses', 'refusals', 'deadline', 'accepted', 'score', 'bytes' }
-- Fields of a record. A key of another type under its name is none: somebody overwrote it.
local function fields(id, names)
  local v = redis.pcall('HMGET', record(id), unpack(names))
  if not failed(v) then return v, false end
  if string.find(tostring(v.err), 'WRONGTYPE', 1, true) then return {}, true end
  return redis.call('HMGET', record(id), unpack(names)) -- not for what it holds: raises again
end

-- The record's facts; empty where there is none. `spoilt`: somebody else wrote to the key, so that an
-- open request can neither go on nor be told from its facts.
local function get(id)
  local r = {}
  local v, spoilt = fields(id, FACTS)
  for i, name in ipairs(FACTS) do r[name] = v[i] or nil end
  if r.state and not TERMINAL[r.state] then
    for _, name in ipairs(WHOLE) do spoilt = spoilt or not string.match(r[name] or '', '^%-?%d+$') end
  end
  return spoilt and { spoilt = true } or r
end

-- Doorbells and copies are written under pcall: that one fails must not leave a transition half done.
local function ring(kind, id, node, status, facts)
  local entry = { 'kind', kind, 'id', id, 'node', node or '', 'status', status or '' }
  if facts and facts ~= '' and #facts <= FACTS_BYTES then
    entry[9], entry[10] = 'facts', facts
  end
  redis.pcall('XADD', EVENTS, 'MAXLEN', '~', 1000, '*', unpack(entry))
end

local function due(id, at, deadline)
  redis.call('ZADD', DUE, int(math.min(at, tonumber(deadline))), id)
end

local function post(mailbox, id, kind, payload)
  if mailbox and mailbox ~= '' then -- NOMKSTREAM: a router that is gone must not leave a stream behind
    redis.pcall('XADD', mailbox, 'NOMKSTREAM', 'MAXLEN', '~', 10000, '*', 'id', id, 'type', kind, 'payload', payload)
  end
end

-- A time in words: there is no os.date here.
local function iso(ms)
  local s = math.floor(ms / 1000)
  local z = math.floor(s / 86400) + 719468 -- days since a 1 March that begins a cycle of 400 years
  local doe = z % 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + math.floor(z / 146097) * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(s / 3600) % 24, math.floor(s / 60) % 60, s % 60, ms % 1000)
end

-- A dead letter: what every message carries, and the facts of this one.
local function letter(...)
  redis.pcall('XADD', DEAD, 'MAXLEN', '~', 1000, '*', 'version', '1.0', 'timestamp', iso(now()), 'source', LEDGER, ...)
end

local function bury(id, why, r)
  letter('id', id, 'why', why, 'model', r.model or '', 'attempt', r.attempt or '0', 'history', r.history or '')
end

-- Into the stream that we name ourselves. Where an outsider wrote to it before us, our ids may be
-- refused; where it takes no entry at all, it never was an answer's stream and gives way.
local function answer(id, at, payload)
  local own = answers(id)
  local x = redis.pcall('XADD', own, at, 'type', 'final', 'payload', payload)
  if failed(x) then x = redis.pcall('XADD', own, '*', 'type', 'final', 'payload', payload) end
  if failed(x) then
    redis.call('DEL', own)
    x = redis.pcall('XADD', own, at, 'type', 'final', 'payload', payload)
  end
  redis.call('PEXPIRE', own, ANSWER_TTL_MS)
  return x
end

-- The only place that writes a final. The fallible step comes first, under pcall: a callback that
-- is no stream still leaves exactly one final, in the stream that we name ourselves.
local function close(id, r, state, payload, facts)
  local own = answers(id)
  local x = answer(id, (r.attempt or '0') .. '-' .. FINAL_SEQ, payload)
  if r.callback ~= own then x = redis.pcall('XADD', r.callback, '*', 'type', 'final', 'payload', payload) end
  if failed(x) then bury(id, 'undeliverable: ' .. tostring(x.err), r) end
  post(r.mailbox, id, 'final', payload)
  redis.call('HSET', record(id), 'state', state, 'closed', int(now()))
  redis.call('HDEL', record(id), 'body', 'meta', 'token', 'mailbox')
  redis.call('PEXPIRE', record(id), RECORD_TTL_MS)
  redis.call('ZREM', DUE, id)
  redis.call('ZREM', QUEUE, id)
  if r.node then redis.call('SREM', inflight(r.node), id) end
  redis.call('DECRBY', BYTES, r.bytes or 0)
  ring('done', id, r.node, state, facts)
end

-- A final that no worker wrote.
local function verdict(id, r, state, code, text, stamp)
  return '{"version":"1.0","request_id":' .. cjson.encode(id) .. ',"model":' .. cjson.encode(r.model or '') .. ',"status":"' ..
    string.lower(state) .. '","error_code":"' .. code .. '","error":' .. cjson.encode(text) ..
    ',"attempt":' .. (r.attempt or '0') .. ',"timestamp":"' .. stamp .. '","source":"' .. LEDGER .. '"}'
end

-- The sweep looks at it next.
local function hasten(id) redis.call('ZADD', DUE, 'XX', int(now()), id) end

-- Somebody deleted the record or wrote over it: no ghost of it stays in an index. The one final that an
-- open request is owed tells whoever reads its own stream; where else to answer was in the record.
local LOST = 'the record of this request was overwritten in the store'
local function lay(id, r, stamp, payload)
  local open = redis.call('ZREM', DUE, id) + redis.call('ZREM', QUEUE, id) > 0
  for _, node in ipairs(redis.call('SMEMBERS', NODES)) do redis.call('SREM', inflight(node), id) end
  if not (open and r.spoilt) then return end
  bury(id, 'record_lost: ' .. LOST, r)
  answer(id, '*', payload or verdict(id, r, 'FAILED', 'record_lost', LOST, stamp))
  if not failed(redis.pcall('HSET', record(id), 'state', 'FAILED', 'closed', int(now()))) then
    redis.call('PEXPIRE', record(id), RECORD_TTL_MS)
  end
  ring('done', id, nil, 'FAILED')
end

-- A key of another type has no planner: whoever held the lease claims it anew, which mends the key.
local function is_planner(epoch) return redis.pcall('HGET', PLANNER, 'epoch') == epoch end
