-- Admission, and the way to a board.

local function give(id, node, worker_lease, nonce, attempt, deadline, t)
  local n = int(tonumber(attempt) + 1)
  local token = n .. ':' .. nonce .. ':' .. id
  if failed(redis.pcall('XADD', doorbell(node), '*', 'id', id, 'token', token)) then return nil end
  redis.call('HSET', record(id), 'state', 'ASSIGNED', 'attempt', n, 'node', node, 'token', token)
  redis.call('ZREM', QUEUE, id)
  due(id, t + worker_lease, deadline)
  redis.call('SADD', inflight(node), id)
  -- From now on the board holds work: it has to show within seconds that it lives.
  if redis.call('PTTL', alive(node)) > ALIVE_BUSY_MS then redis.call('PEXPIRE', alive(node), ALIVE_BUSY_MS) end
  return { 'ASSIGNED', token, n }
end

local function obstacle(node, epoch, depth)
  if not is_planner(epoch) then return 'NOT_PLANNER' end
  if redis.call('EXISTS', alive(node)) == 0 then return 'NODE_DEAD' end
  if redis.call('EXISTS', P .. 'drain:' .. node) == 1 then return 'DRAINING' end
  if redis.call('SCARD', inflight(node)) >= depth then return 'FULL' end
end

local function dispatch(_, a)
  local id, node, epoch, nonce = a[1], a[2], a[3], a[5]
  local depth, lease = number(a[4], 'depth'), number(a[6], 'lease')
  local v = fields(id, { 'state', 'attempt', 'deadline', 'token' })
  if v[1] == 'ASSIGNED' and v[4] == v[2] .. ':' .. nonce .. ':' .. id then
    return { 'ASSIGNED', v[4], v[2] } -- the same call again: its reply was lost
  end
  local why = obstacle(node, epoch, depth)
  if why then return { why } end
  local t = now()
  local whole = tonumber(v[2]) and tonumber(v[3])
  if v[1] ~= 'QUEUED' or not whole then
    if not whole then hasten(id) end
    redis.call('ZREM', QUEUE, id) -- a record that somebody deleted leaves no ghost behind
    return { 'GONE', v[1] or '' }
  end
  if t >= tonumber(v[3]) then return { 'GONE', 'QUEUED' } end -- the sweep closes it, or the clock was stepped
  return give(id, node, lease, nonce, v[2], v[3], t) or { 'BARRED' }
end

-- a[1..14]: id callback mailbox ttl_ms body meta class stream model fingerprint max_requests
--           max_bytes on_full(final|refuse) iso
-- a[15..17]: stream, group, entry that carried it, or ''
-- a[18..22]: node epoch depth nonce lease: dispatch at once if nothing stands in the way, or ''
local function create(a, t, behind)
  local id, bytes, class = a[1], #a[5], tonumber(a[7]) * 1e13
  local score, deadline = class + t, t + tonumber(a[4])
  if behind then -- the clock stands still: behind everyone of its class who came earlier
    local last = redis.call('ZREVRANGEBYSCORE', QUEUE, int(class + 1e13 - 1), int(class), 'WITHSCORES', 'LIMIT', 0, 1)
    if last[2] then score = math.max(score, tonumber(last[2]) + 1) end
  end
  redis.call('HSET', record(id), 'state', 'QUEUED', 'attempt', '0', 'crashes', '0', 'losses', '0', 'refusals', '0',
    'callback', a[2], 'mailbox', a[3], 'deadline', int(deadline), 'accepted', int(t), 'score', int(score),
    'bytes', bytes, 'model', a[9], 'stream', a[8], 'fingerprint', a[10], 'meta', a[6], 'body', a[5])
  redis.call('INCRBY', BYTES, bytes)
  redis.call('PERSIST', answers(id)) -- the refusal of an earlier entry under this id may be there
  return score, deadline
end

-- Whether the entry was still there. Raises where the stream or the id is none: comes before any write.
local function settle_entry(stream, group, entry)
  if stream == '' then return true end
  return redis.call('XACK', stream, group, entry) + redis.call('XDEL', stream, entry) > 0
end

local function check_admission(a)
  number(a[4], 'ttl_ms')
  number(a[7], 'class')
  if #a[5] == 0 then error('orion: a request has a body') end
end

local function admit(_, a)
  local id = a[1]
  check_admission(a)
  local max_requests, max_bytes = number(a[11], 'max_requests'), number(a[12], 'max_bytes')
  local depth, lease = 0, 0
  if a[18] ~= '' then depth, lease = number(a[20], 'depth'), number(a[22], 'lease') end
  local seen = redis.call('HMGET', record(id), 'state', 'fingerprint', 'attempt')
  if seen[1] then
    if settle_entry(a[15], a[16], a[17]) and a[15] ~= '' and seen[2] ~= a[10] then
      bury(id, 'duplicate_id: this request_id was used before with another content', { model = a[9] })
    end
    return { 'DUP', seen[1], seen[2], seen[3] }
  end
  local full = redis.call('ZCARD', QUEUE) >= max_requests and 'queue_full'
    or (tonumber(redis.call('GET', BYTES) or '0') + #a[5] > max_bytes) and 'queue_bytes'
  if full and a[13] == 'refuse' then return { 'REJECTED', full } end
  settle_entry(a[15], a[16], a[17])
  local t, behind = now()
  local score, deadline = create(a, t, behind)
  if full then
    local r = get(id)
    close(id, r, 'REJECTED', verdict(id, r, 'REJECTED', full, 'the queue is full: try again later', a[14]))
    return { 'REJECTED', full }
  end
  local why = 'no_node'
  if a[18] ~= '' then
    why = obstacle(a[18], a[19], depth)
    local given = not why and give(id, a[18], lease, a[21], '0', deadline, t)
    if given then return given end
    why = why or 'BARRED'
  end
  redis.call('ZADD', QUEUE, int(score), id)
  due(id, deadline, deadline)
  ring('queued', id)
  return { 'NEW', why }
end

-- A whole request that was put on a board's own stream: admitted, pinned and running in one step.
-- a[1..17] as for admit; node worker nonce lease
local function take(_, a)
  local id, node, worker = a[1], a[18], a[19]
  check_admission(a)
  local lease = number(a[21], 'lease')
  local token = '1:' .. a[20] .. ':' .. id .. ':' .. worker
  local seen = redis.call('HMGET', record(id), 'state', 'fingerprint', 'token', 'deadline')
  local t, behind = now()
  if seen[1] == 'RUNNING' and seen[3] == token then -- the same call again: its reply was lost
    return { 'RUN', token, '', int(tonumber(seen[4]) - t), '1', '0' }
  end
  local there = settle_entry(a[15], a[16], a[17])
  if seen[1] then
    if there and seen[2] ~= a[10] then
      bury(id, 'duplicate_id: this request_id was used before with another content', { model = a[9] })
    end
    return { 'DUP', seen[1] }
  end
  local _, deadline = create(a, t, behind)
  redis.call('HSET', record(id), 'state', 'RUNNING', 'attempt', '1', 'node', node, 'token', token, 'worker', worker)
  redis.call('SADD', inflight(node), id)
  due(id, t + lease, deadline)
  ring('assigned', id, node)
  return { 'RUN', token, '', int(deadline - t), '1', '0' }
end

-- Whether a key is not a client's to name: our own, or the answer's stream of another request.
local function reserved(callback, id)
  if string.sub(callback, 1, #P) ~= P or callback == answers(id) then return false end
  local suffix = string.match(callback, '^' .. P .. 'responses:(.*)$')
  return not suffix or string.match(suffix, '^%x+%-%x+%-%x+%-%x+%-%x+$') ~= nil
end

-- An entry that is no valid request: an error answer where it names a usable callback, a dead letter
-- always, and the entry settled, in one step.
local function refuse(_, a)
  local stream, group, entry, id, callback, final, why, sample = unpack(a)
  if not settle_entry(stream, group, entry) then return 'OK' end -- the same call again
  local known = id ~= '' and fields(id, { 'state' })[1]
  if callback ~= '' and final ~= '' and not known and not reserved(callback, id) then
    if callback == answers(id) then
      -- Before every id of a later attempt: the corrected request may come under the same id.
      local x = redis.pcall('XADD', callback, '0-*', 'type', 'final', 'payload', final)
      if not failed(x) then redis.call('PEXPIRE', callback, ANSWER_TTL_MS) end
    else
      redis.pcall('XADD', callback, '*', 'type', 'final', 'payload', final)
    end
  end
  letter('id', id, 'why', why, 'stream', stream, 'entry', entry, 'sample', sample)
  return known and 'KNOWN' or 'OK'
end
