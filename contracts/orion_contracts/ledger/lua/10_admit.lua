-- Admission, and the way to a board.

local function give(id, node, worker_lease, nonce, attempt, deadline, t)
  local n = int(tonumber(attempt) + 1)
  local token = n .. ':' .. nonce .. ':' .. id
  redis.call('HSET', record(id), 'state', 'ASSIGNED', 'attempt', n, 'node', node, 'token', token)
  redis.call('ZREM', QUEUE, id)
  due(id, t + worker_lease, deadline)
  redis.call('SADD', inflight(node), id)
  redis.call('XADD', doorbell(node), '*', 'id', id, 'token', token)
  -- From now on the board holds work: it has to show within seconds that it lives.
  if redis.call('PTTL', alive(node)) > ALIVE_BUSY_MS then redis.call('PEXPIRE', alive(node), ALIVE_BUSY_MS) end
  return { 'ASSIGNED', token, n }
end

local function obstacle(node, epoch, depth)
  if not is_planner(epoch) then return 'NOT_PLANNER' end
  if redis.call('EXISTS', alive(node)) == 0 then return 'NODE_DEAD' end
  if redis.call('EXISTS', P .. 'drain:' .. node) == 1 then return 'DRAINING' end
  if redis.call('SCARD', inflight(node)) >= tonumber(depth) then return 'FULL' end
end

local function dispatch(_, a)
  local id, node, epoch, depth, nonce, lease = unpack(a)
  local why = obstacle(node, epoch, depth)
  if why then return { why } end
  local v = redis.call('HMGET', record(id), 'state', 'attempt', 'deadline')
  if v[1] ~= 'QUEUED' then return { 'GONE', v[1] or '' } end
  return give(id, node, tonumber(lease), nonce, v[2], v[3], now())
end

-- a[1..14]: id callback mailbox ttl_ms body meta class stream model fingerprint max_requests
--           max_bytes on_full(final|refuse) iso
-- a[15..17]: stream, group, entry that carried it, or ''
-- a[18..22]: node epoch depth nonce lease: dispatch at once if nothing stands in the way, or ''
local function create(a, t)
  local id, bytes = a[1], #a[5]
  local score = tonumber(a[7]) * 1e13 + t
  local deadline = t + tonumber(a[4])
  redis.call('HSET', record(id), 'state', 'QUEUED', 'attempt', '0', 'crashes', '0', 'losses', '0', 'refusals', '0',
    'callback', a[2], 'mailbox', a[3], 'deadline', int(deadline), 'accepted', int(t), 'score', int(score),
    'bytes', bytes, 'model', a[9], 'stream', a[8], 'fingerprint', a[10], 'meta', a[6], 'body', a[5])
  redis.call('INCRBY', BYTES, bytes)
  return score, deadline
end

local function settle_entry(stream, group, entry)
  if stream ~= '' then
    redis.call('XACK', stream, group, entry)
    redis.call('XDEL', stream, entry)
  end
end

local function admit(_, a)
  local id = a[1]
  local seen = redis.call('HMGET', record(id), 'state', 'fingerprint', 'attempt')
  if seen[1] then
    if a[15] ~= '' and seen[2] ~= a[10] then
      bury(id, 'duplicate_id: this request_id was used before with another content', { model = a[9] })
    end
    settle_entry(a[15], a[16], a[17])
    return { 'DUP', seen[1], seen[2], seen[3] }
  end
  local full = redis.call('ZCARD', QUEUE) >= tonumber(a[11]) and 'queue_full'
    or (tonumber(redis.call('GET', BYTES) or '0') + #a[5] > tonumber(a[12])) and 'queue_bytes'
  if full and a[13] == 'refuse' then return { 'REJECTED', full } end
  local t = now()
  local score, deadline = create(a, t)
  settle_entry(a[15], a[16], a[17])
  if full then
    local r = get(id)
    close(id, r, 'REJECTED', verdict(id, r, 'REJECTED', full, 'the queue is full: try again later', a[14]))
    return { 'REJECTED', full }
  end
  local why = 'no_node'
  if a[18] ~= '' then
    why = obstacle(a[18], a[19], a[20])
    if not why then return give(id, a[18], tonumber(a[22]), a[21], '0', deadline, t) end
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
  local seen = redis.call('HMGET', record(id), 'state', 'fingerprint')
  if seen[1] then
    if seen[2] ~= a[10] then
      bury(id, 'duplicate_id: this request_id was used before with another content', { model = a[9] })
    end
    settle_entry(a[15], a[16], a[17])
    return { 'DUP', seen[1] }
  end
  local t = now()
  local _, deadline = create(a, t)
  settle_entry(a[15], a[16], a[17])
  local token = '1:' .. a[20] .. ':' .. id .. ':' .. worker
  redis.call('HSET', record(id), 'state', 'RUNNING', 'attempt', '1', 'node', node, 'token', token, 'worker', worker)
  redis.call('SADD', inflight(node), id)
  due(id, t + tonumber(a[21]), deadline)
  ring('assigned', id, node)
  return { 'RUN', token, '', int(deadline - t), '1', '0' }
end

-- An entry that is no valid request: an error answer where it names a usable callback, a dead letter
-- always, and the entry settled, in one step.
local function refuse(_, a)
  local stream, group, entry, id, callback, final, why, sample = unpack(a)
  local known = id ~= '' and redis.call('EXISTS', record(id)) == 1
  if callback ~= '' and final ~= '' and not known then
    local x = redis.pcall('XADD', callback, '*', 'type', 'final', 'payload', final)
    if not failed(x) and callback == answers(id) then redis.call('PEXPIRE', callback, ANSWER_TTL_MS) end
  end
  redis.call('XADD', DEAD, 'MAXLEN', '~', 1000, '*', 'id', id, 'why', why, 'stream', stream, 'entry', entry, 'sample', sample)
  settle_entry(stream, group, entry)
  return known and 'KNOWN' or 'OK'
end
