-- What a worker says about work it holds. The token is compared for equality: a zombie's is old.

local function requeue(id, r)
  if r.node then redis.call('SREM', inflight(r.node), id) end
  redis.call('HSET', record(id), 'state', 'QUEUED', 'token', '')
  redis.call('ZADD', QUEUE, r.score, id) -- its original position
  due(id, tonumber(r.deadline), r.deadline)
  ring('queued', id, r.node)
end

local LIMIT_OF = { crash = 'crashes', loss = 'losses', refused = 'refusals' }

-- Back to the queue, or closed when a limit is reached. limits: {crash=, loss=, refused=}
local function give_back(id, r, kind, why, limits, iso)
  local history = string.sub((r.history or '') .. r.attempt .. ' ' .. (r.node or '?') .. ' ' .. kind .. ' ' .. why .. '; ', -1000)
  history = string.gsub(history, '^[\128-\191]+', '') -- the cut may have gone through a character
  redis.call('HSET', record(id), 'history', history)
  r.history = history
  if r.cancel == '1' then
    return close(id, r, 'CANCELLED', verdict(id, r, 'CANCELLED', 'cancelled', 'cancelled by its client', iso))
  end
  local counter = LIMIT_OF[kind]
  if counter and redis.call('HINCRBY', record(id), counter, 1) >= limits[kind] then
    local code = kind == 'refused' and 'engine_busy' or 'crashed'
    local text = kind == 'refused' and 'no board accepted this request: ' .. why
      or 'this request was given up after ' .. limits[kind] .. ' attempts were lost: ' .. history
    if kind ~= 'refused' then bury(id, kind, r) end
    return close(id, r, 'FAILED', verdict(id, r, 'FAILED', code, text, iso))
  end
  requeue(id, r)
end

local function limits_from(a, i)
  return {
    crash = number(a[i], 'max_crashes'), loss = number(a[i + 1], 'max_losses'), refused = number(a[i + 2], 'max_refusals'),
  }
end

-- node entry id token worker lease -> RUN token body remaining_ms attempt queue_ms meta | STALE
local function start(_, a)
  local node, entry, id, token, worker, lease = a[1], a[2], a[3], a[4], a[5], number(a[6], 'lease')
  settle_entry(doorbell(node), 'workers', entry)
  local r, t = get(id), now()
  if r.spoilt then hasten(id) end
  local mine = token .. ':' .. worker
  if r.state == 'ASSIGNED' and r.token == token and r.node == node then
    if t >= tonumber(r.deadline) then -- the sweep decides whether time passed or the clock was stepped
      requeue(id, r)
      return { 'STALE' }
    end
    redis.call('HSET', record(id), 'state', 'RUNNING', 'token', mine, 'worker', worker)
    due(id, t + lease, r.deadline)
  elseif r.state ~= 'RUNNING' or r.token ~= mine then -- equal: the same worker lost our reply
    return { 'STALE' }
  end
  local b = redis.call('HMGET', record(id), 'body', 'meta')
  return { 'RUN', mine, b[1], int(tonumber(r.deadline) - t), r.attempt,
    int(math.max(0, t - tonumber(r.accepted))), b[2] }
end

-- Whether this chunk, or a later one of this attempt, was published before: a repeated call.
local function published(id, attempt, seq)
  local a, s = string.match(redis.call('HGET', record(id), 'seq') or '', '^(%d+):(%d+)$')
  return a == attempt and tonumber(s) >= tonumber(seq)
end

local function publish(id, r, seq, payload)
  if payload == '' or r.stream ~= '1' then return end
  local own = r.callback == answers(id)
  if own and not failed(redis.pcall('XADD', r.callback, r.attempt .. '-' .. seq, 'type', 'chunk', 'payload', payload)) then
    return post(r.mailbox, id, 'chunk', payload)
  end
  -- The own stream's ids refuse a repeated (attempt, seq), but also all of ours after a foreign entry.
  if own then
    local later = redis.pcall('XRANGE', r.callback, r.attempt .. '-' .. seq, r.attempt .. '-' .. FINAL_SEQ, 'COUNT', 1)
    if not failed(later) and #later > 0 then return end
  end
  if published(id, r.attempt, seq) then return end
  redis.call('HSET', record(id), 'seq', r.attempt .. ':' .. seq)
  redis.pcall('XADD', r.callback, '*', 'type', 'chunk', 'payload', payload)
  post(r.mailbox, id, 'chunk', payload)
end

-- Digits only (nothing else may reach a stream id), and below the final's.
local function chunk_seq(seq, payload)
  if payload ~= '' and (not string.match(seq, '^[1-9]%d*$') or #seq >= #FINAL_SEQ) then
    error('orion: seq must be a whole number from 1')
  end
  return seq
end

local EMIT = { 'state', 'token', 'deadline', 'callback', 'attempt', 'cancel', 'mailbox', 'stream' }
-- id token lease seq payload; an empty payload only renews the lease
local function emit(_, a)
  local id, token, lease, seq, payload = a[1], a[2], number(a[3], 'lease'), chunk_seq(a[4], a[5]), a[5]
  local v = fields(id, EMIT)
  if v[1] ~= 'RUNNING' or v[2] ~= token then return 'FENCED' end
  if not tonumber(v[3]) then return 'FENCED' end -- somebody else wrote to the record
  if v[6] == '1' then return 'CANCEL' end
  local t = now()
  local held = tonumber(redis.call('ZSCORE', DUE, id) or '0')
  -- Renewed when a third is used, so that a heartbeat is mostly a read and costs the disk nothing.
  if held > t + lease or held < t + lease * 2 / 3 then due(id, t + lease, v[3]) end
  publish(id, { callback = v[4], attempt = v[5], mailbox = v[7], stream = v[8] }, seq, payload)
  return 'OK'
end

-- id token state final seq chunk dead [facts]: closes the record and publishes, once. facts: what the run
-- measured, for planners; workers of an older version send none
local function finish(_, a)
  local id, token, state, final, seq, chunk, dead = a[1], a[2], a[3], a[4], chunk_seq(a[5], a[6]), a[6], a[7]
  if not TERMINAL[state] then error('orion: a final has a terminal state') end
  local r = get(id)
  if not r.state then return 'UNKNOWN' end
  if TERMINAL[r.state] then return r.done == token and 'ALREADY' or 'DUP' end
  if r.state ~= 'RUNNING' or r.token ~= token then return 'FENCED' end
  publish(id, r, seq, chunk)
  redis.call('HSET', record(id), 'done', token)
  if dead ~= '' then bury(id, dead, r) end
  close(id, r, state, final, a[8])
  return 'OK'
end

-- id token kind why iso max_crashes max_losses max_refusals
local function release(_, a)
  local r, limits = get(a[1]), limits_from(a, 6)
  if (r.state ~= 'RUNNING' and r.state ~= 'ASSIGNED') or r.token ~= a[2] then return 'FENCED' end
  give_back(a[1], r, a[3], a[4], limits, a[5])
  return 'OK'
end
