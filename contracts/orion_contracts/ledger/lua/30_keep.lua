-- Boards coming and going, cancels, and the planner's upkeep.

local function lost(node) return P .. 'lost:' .. node end

-- What a board holds, as {id, record}. An id whose record says otherwise (deleted, closed, queued, or
-- with another board) is a ghost that would occupy a slot for ever: it goes.
local function held_by(node)
  local held = {}
  for _, id in ipairs(redis.call('SMEMBERS', inflight(node))) do
    local r = get(id)
    if (r.state == 'RUNNING' or r.state == 'ASSIGNED') and r.node == node then
      held[#held + 1] = { id, r }
    else
      redis.call('SREM', inflight(node), id)
    end
  end
  return held
end

-- node incarnation iso max_crashes max_losses max_refusals: a worker begins its life. What its
-- previous incarnation was running died with it: that is evidence, so it counts as a crash.
local function enlist(_, a)
  local node, me, limits, n = a[1], a[2], limits_from(a, 4), 0
  for _, held in ipairs(held_by(node)) do
    local id, r = held[1], held[2]
    if r.state == 'ASSIGNED' or r.worker ~= me then
      give_back(id, r, r.state == 'RUNNING' and 'crash' or 'none', 'its worker was restarted', limits, a[3])
      n = n + 1
    end
  end
  for _, mark in ipairs(redis.call('SMEMBERS', lost(node))) do -- lapsed before, now known to have died
    local id, worker = string.match(mark, '^(.-) (.*)$')
    local r = get(id or '')
    if worker ~= me and r.state and not TERMINAL[r.state] then
      redis.call('HINCRBY', record(id), 'losses', -1)
      local crashes = redis.call('HINCRBY', record(id), 'crashes', 1)
      if crashes >= limits.crash and r.state == 'QUEUED' then
        bury(id, 'crash', r)
        close(id, r, 'FAILED', verdict(id, r, 'FAILED', 'crashed', 'this request was given up after ' .. crashes ..
          ' workers died with it: ' .. (r.history or ''), a[3]))
      end
    end
  end
  redis.call('DEL', lost(node))
  redis.call('SADD', NODES, node)
  redis.call('HSET', INCARNATIONS, node, me)
  redis.call('SET', alive(node), me, 'PX', ALIVE_BUSY_MS)
  redis.pcall('XGROUP', 'CREATE', doorbell(node), 'workers', '0', 'MKSTREAM') -- BUSYGROUP: it is there
  ring('node', '', node, 'enlisted')
  return n
end

-- node incarnation ttl_ms -> OK, or the incarnation that took the board over
local function beat(_, a)
  -- A beat of an earlier life may arrive late, after the present one's sign of life has lapsed.
  local life = redis.call('HGET', INCARNATIONS, a[1])
  if life and life ~= a[2] then return life end
  local holder = redis.call('GET', alive(a[1]))
  redis.call('SET', alive(a[1]), a[2], 'PX', a[3])
  if not holder then
    redis.call('SADD', NODES, a[1])
    redis.call('DEL', lost(a[1])) -- it was silent, but it did not die
    ring('node', '', a[1], 'back')
  end
  return 'OK'
end

-- node ttl_ms whole(1|0) changed field value ... gone ...: a board's report -> how many fields it has.
-- A function of its own so that a full store takes it: boards without a report get no work, and only
-- finished work makes room again.
local function report(_, a)
  local key, changed = P .. 'node:' .. a[1], number(a[4], 'changed')
  local ttl, last = number(a[2], 'ttl_ms'), 4 + 2 * changed
  if a[3] == '1' then redis.call('DEL', key) end
  if changed > 0 then redis.call('HSET', key, unpack(a, 5, last)) end
  if #a > last then redis.call('HDEL', key, unpack(a, last + 1)) end
  redis.call('PEXPIRE', key, ttl)
  redis.call('SADD', NODES, a[1])
  return redis.call('HLEN', key)
end

-- node incarnation iso limits: a worker leaves in peace; what it still holds goes back unharmed
local function leave(_, a)
  local node, me, limits = a[1], a[2], limits_from(a, 4)
  local life = redis.call('HGET', INCARNATIONS, node)
  if life and life ~= me then return 0 end
  local held = held_by(node)
  for _, h in ipairs(held) do give_back(h[1], h[2], 'none', 'its worker was stopped', limits, a[3]) end
  redis.call('DEL', alive(node), lost(node), P .. 'node:' .. node)
  redis.call('SREM', NODES, node)
  -- Its name stays: who knows it may go on to put requests on its stream, and they are not to lie there.
  if redis.call('HLEN', INCARNATIONS) > MOST_KNOWN then redis.call('HDEL', INCARNATIONS, node) end
  ring('node', '', node, 'left')
  return #held
end

-- id iso -> the state it had or has: terminal, CANCELLED, PENDING (its worker learns at its next emit)
local function cancel(_, a)
  local id, r = a[1], get(a[1])
  if r.spoilt then lay(id, r, a[2]) end
  if not r.state then return 'UNKNOWN' end
  if TERMINAL[r.state] then return r.state end
  if r.state == 'RUNNING' then
    redis.call('HSET', record(id), 'cancel', '1')
    return 'PENDING'
  end
  close(id, r, 'CANCELLED', verdict(id, r, 'CANCELLED', 'cancelled', 'cancelled by its client', a[2]))
  return 'CANCELLED'
end

-- id mailbox: from now on chunks go there -> state attempt
local function attach(_, a)
  local v = fields(a[1], { 'state', 'attempt' })
  if not v[1] then return { 'UNKNOWN', '0' } end
  if not TERMINAL[v[1]] then redis.call('HSET', record(a[1]), 'mailbox', a[2]) end
  return v
end

-- id epoch state payload: the planner gives up on a queued request (no board has its model, its record
-- cannot be read, ...)
local function reject(_, a)
  if not TERMINAL[a[3]] then error('orion: a final has a terminal state') end
  if not is_planner(a[2]) then return 'NOT_PLANNER' end
  local r = get(a[1])
  if r.spoilt then
    lay(a[1], r, nil, a[4])
    return 'OK'
  end
  if r.state ~= 'QUEUED' then return 'GONE' end
  close(a[1], r, a[3], a[4])
  return 'OK'
end

-- me seen_epoch -> MINE | TAKEN | OTHER, epoch, owner. A challenger that heard nothing from the
-- holder for long enough names the epoch it saw: of several, one wins. No clock is involved.
local function planner(_, a)
  local v = redis.pcall('HMGET', PLANNER, 'owner', 'epoch')
  if failed(v) then
    redis.call('DEL', PLANNER)
    v = { false, 'spoilt' }
  end
  if (v[1] or v[2]) and not (string.match(v[2] or '', '^%d+$') and #v[2] < 15) then
    -- Somebody wrote over it: nobody holds it, and the count goes on above whatever it was before.
    v = { false, int(redis.call('TIME')[1]) }
  end
  if v[1] == a[1] then return { 'MINE', v[2], v[1] } end
  if v[1] and v[1] ~= '' and v[2] ~= a[2] then return { 'OTHER', v[2], v[1] } end
  local epoch = int(tonumber(v[2] or '0') + 1)
  redis.call('HSET', PLANNER, 'owner', a[1], 'epoch', epoch)
  return { 'TAKEN', epoch, a[1] }
end

local function resign(_, a)
  if redis.pcall('HGET', PLANNER, 'owner') == a[1] then redis.call('HSET', PLANNER, 'owner', '') end
  return 'OK'
end

-- epoch lease: after a restart or a stall of the store nobody could renew anything, so nobody is
-- dead for that: leases and liveness begin anew.
local function grace(_, a)
  local lease = number(a[2], 'lease')
  if not is_planner(a[1]) then return 'NOT_PLANNER' end
  local t = now()
  for _, node in ipairs(redis.call('SMEMBERS', NODES)) do
    local held = held_by(node)
    for _, h in ipairs(held) do due(h[1], t + lease, h[2].deadline) end
    if #held > 0 and redis.call('PEXPIRE', alive(node), ALIVE_BUSY_MS) == 0 then
      redis.call('SET', alive(node), 'grace:' .. a[1], 'PX', ALIVE_BUSY_MS)
    end
  end
  return 'OK'
end

-- epoch true_now lease: the store's clock was stepped; the ledger's clock goes on at true_now.
local function steady(k, a)
  local truth, lease = number(a[2], 'true_now'), number(a[3], 'lease')
  if not is_planner(a[1]) then return 'NOT_PLANNER' end
  local t, shift = redis.call('TIME'), now() - truth
  redis.call('HSET', CLOCK, 'offset', int(truth - (t[1] * 1000 + math.floor(t[2] / 1000))), 'last', int(truth))
  for _, id in ipairs(redis.call('ZRANGE', DUE, 0, -1)) do -- stamped between the step and this call
    local r = get(id)
    local ahead = tonumber(r.accepted or '0') - truth
    if ahead > 0 then
      -- All by the same amount, so that their order stays; what is ahead by less came before the step.
      local by = ahead > shift / 2 and shift > 0 and shift or ahead
      local function back(field) return int(tonumber(r[field]) - by) end
      r.deadline = back('deadline')
      redis.call('HSET', record(id), 'accepted', back('accepted'), 'deadline', r.deadline, 'score', back('score'))
      if r.state == 'QUEUED' then
        redis.call('ZADD', QUEUE, back('score'), id)
        redis.call('ZADD', DUE, r.deadline, id)
      end
    end
    if r.state == 'RUNNING' or r.state == 'ASSIGNED' then due(id, truth + lease, r.deadline) end
  end
  return grace(k, { a[1], a[3] })
end

-- epoch expected limit iso max_crashes max_losses max_refusals
-- -> OK now closed_or_requeued | JUMP now last | NOT_PLANNER. expected: the ledger time the caller
-- reckons from its own monotonic clock, or '' when it has none yet.
local function sweep(_, a)
  local limits, n, batch = limits_from(a, 5), 0, number(a[3], 'limit')
  if not is_planner(a[1]) then return { 'NOT_PLANNER' } end
  local t, last = now(), sane(redis.call('HGET', CLOCK, 'last'))
  local expected = tonumber(a[2]) or (last > 0 and last) or t
  if math.abs(t - expected) > JUMP_MS then return { 'JUMP', int(t), int(last) } end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', int(t), 'LIMIT', 0, int(batch))) do
    local r = get(id)
    n = n + 1
    if not r.state or TERMINAL[r.state] then
      lay(id, r, a[4])
    elseif t >= tonumber(r.deadline) then
      close(id, r, 'EXPIRED', verdict(id, r, 'EXPIRED', 'deadline', 'the deadline passed before an answer was complete', a[4]))
    else
      give_back(id, r, r.state == 'RUNNING' and 'loss' or 'none', 'its lease lapsed', limits, a[4])
    end
  end
  for _, node in ipairs(redis.call('SMEMBERS', NODES)) do
    if redis.call('SCARD', inflight(node)) > 0 and redis.call('EXISTS', alive(node)) == 0 then
      for _, h in ipairs(held_by(node)) do
        local id, r = h[1], h[2]
        n = n + 1
        if r.state == 'RUNNING' then
          redis.call('SADD', lost(node), id .. ' ' .. (r.worker or ''))
          redis.call('PEXPIRE', lost(node), 600000)
        end
        give_back(id, r, r.state == 'RUNNING' and 'loss' or 'none', 'its board went silent', limits, a[4])
      end
      ring('node', '', node, 'lapsed')
    end
  end
  local busy = redis.call('EXISTS', DUE) == 1
  if t - last >= (busy and 1000 or 60000) then redis.call('HSET', CLOCK, 'last', int(t)) end
  return { 'OK', int(t), n }
end

local function version() return VERSION end

-- least: how many arguments a call needs. Fewer are refused before anything is written.
local function register(name, callback, least, flags)
  redis.register_function { function_name = 'orion_' .. name, flags = flags, callback = function(k, a)
    if #a < least then error('orion: ' .. name .. ' takes ' .. least .. ' arguments') end
    return callback(k, a)
  end }
end
register('version', version, 0, { 'no-writes' })
register('admit', admit, 22, {}) -- without allow-oom: a full store refuses newcomers and finishes the rest
register('take', take, 21, {})
register('dispatch', dispatch, 6, { 'allow-oom' })
register('refuse', refuse, 8, { 'allow-oom' })
register('start', start, 6, { 'allow-oom' })
register('emit', emit, 5, { 'allow-oom' })
register('finish', finish, 7, { 'allow-oom' })
register('release', release, 8, { 'allow-oom' })
register('enlist', enlist, 6, { 'allow-oom' })
register('beat', beat, 3, { 'allow-oom' })
register('report', report, 4, { 'allow-oom' })
register('leave', leave, 6, { 'allow-oom' })
register('cancel', cancel, 2, { 'allow-oom' })
register('attach', attach, 2, { 'allow-oom' })
register('reject', reject, 4, { 'allow-oom' })
register('planner', planner, 2, { 'allow-oom' })
register('resign', resign, 1, { 'allow-oom' })
register('grace', grace, 2, { 'allow-oom' })
register('steady', steady, 3, { 'allow-oom' })
register('sweep', sweep, 7, { 'allow-oom' })
