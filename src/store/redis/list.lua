-- One revocation list, in seven keys of one hash slot. All that is ever written to them, this script
-- writes; each call is atomic.
--
-- 1. Time is the server's: TIME, asked here. Epochs and marks are random bytes from the caller.
-- 2. Numbers are whole and below 2^53, and LARGEST stands for "never ends". They are written by
--    text() or struct.pack, never by tostring, which makes 1.79e+12 of a time.
-- 3. Nothing is written before everything that can fail was read. A call that ends in the middle
--    would leave entries behind that no follower is told of.
-- 4. A value that is not understood is never written over and never counts as "not revoked".
-- 5. Whoever finds fewer entries than there must be, or that some were dropped before their time,
--    begins another list, which knows of no session from before.
-- 6. The server says by each call which one it is. A list that finds itself on another server than before,
--    because a copy was promoted or the server was restarted, may lack what that was told last.
--
-- Arguments: what to do, a fresh mark, a fresh epoch, then what the operation needs.
-- Answers: "ok" and what was asked for, or what is wrong.

local META, SESSIONS, ANONYMOUS, ORDER, SUBJECTS, EXPIRY, STREAM = unpack(KEYS)
local OPERATION, FRESH_MARK, FRESH_EPOCH = ARGV[1], ARGV[2], ARGV[3]
local LARGEST = 9007199254740991
-- The version of all that is stored.
local FORMAT = '2'
local SESSION, ANONYMOUS_SESSION, SUBJECT, EVERYONE, SINCE = 1, 2, 3, 4, 5
-- What a login over a session publishes, the largest serial.
local SUCCEEDED = 4294967295

-- How far a clock may jump back before followers must take a new snapshot.
local BACKWARD = 60000
-- How long after a sweep no session from before it lives any more.
local FORWARD = 34560000000
-- For how long after it began anew, or something was restored, the list may lack what nodes hold.
local SETTLING = 30000
-- How far ahead of this clock a session may have begun.
local SKEW = 60000
-- How many entries of anonymous sessions are kept where no node announced it.
local ANONYMOUS_CAPACITY = 500000
-- How many entries a publication looks at or drops to make room.
local ROOM_STEP = 1000
-- How often followers are told that there is nothing to tell.
local HEARTBEAT = 1000

-- Records travel packed: kind, id, serial, from (a generation, or since when), until, created.
local RECORD, RECORD_LENGTH = '>Bc16I4I8I8I8', 45
local NOBODY = string.rep('\0', 16)

local function text(number)
  return string.format('%.0f', number)
end

local function number(value)
  if value and #value <= 16 and string.find(value, '^%d+$') then
    local parsed = tonumber(value)
    return parsed <= LARGEST and parsed or nil
  end
end

local function capped(value)
  return math.min(value, LARGEST)
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local NOW = now()

-- Sixteen digits of a random name that each start of a server draws. Asking takes some 4 us, and nothing that is
-- kept would do: after a failover it would be the other server's.
local function server()
  local name = string.match(redis.call('INFO', 'server'), '\nrun_id:(%x+)')
  return name and #name >= 16 and string.sub(name, 1, 16)
end

-- Values: each begins with its version, 1, and has its exact length. Nil if not understood.

local function read_session(value)
  if #value ~= 21 or string.byte(value) ~= 1 then return nil end
  local _, serial, from, ends = struct.unpack('>BI4I8I8', value)
  return { serial = serial, from = capped(from), ends = capped(ends) }
end

local function write_session(entry)
  return struct.pack('>BI4I8I8', 1, entry.serial, entry.from, entry.ends)
end

local function read_anonymous(value)
  if #value ~= 29 or string.byte(value) ~= 1 then return nil end
  local _, serial, from, ends, created = struct.unpack('>BI4I8I8I8', value)
  return { serial = serial, from = capped(from), ends = capped(ends), created = capped(created) }
end

local function write_anonymous(entry)
  return struct.pack('>BI4I8I8I8', 1, entry.serial, entry.from, entry.ends, entry.created)
end

-- A counter is a generation and its last raises, the newest first: how many, and of each the id, the
-- generation and the one before.
local REMEMBERED = 4
local PAST = 32

local function read_counter(value, at)
  if #value < at + 8 then return nil end
  local generation, count = struct.unpack('>I8B', value, at)
  at = at + 9
  if generation >= LARGEST or count > REMEMBERED or #value ~= at - 1 + count * PAST then
    return nil
  end
  local counter = { generation = generation, recent = {} }
  for index = 1, count do
    local id, to, previous = struct.unpack('>c16I8I8', value, at)
    if to >= LARGEST or previous >= LARGEST then return nil end
    counter.recent[index] = { id = id, to = to, previous = previous }
    at = at + PAST
  end
  return counter
end

local function write_counter(counter)
  local parts = { struct.pack('>I8B', counter.generation, #counter.recent) }
  for _, past in ipairs(counter.recent) do
    parts[#parts + 1] = struct.pack('>c16I8I8', past.id, past.to, past.previous)
  end
  return table.concat(parts)
end

local function no_counter()
  return { generation = 0, recent = {} }
end

local function read_subject(value)
  if #value < 9 or string.byte(value) ~= 1 then return nil end
  local counter = read_counter(value, 10)
  if not counter then return nil end
  counter.ends = capped(struct.unpack('>I8', value, 2))
  return counter
end

local function write_subject(entry)
  return struct.pack('>BI8', 1, entry.ends) .. write_counter(entry)
end

-- The list as a whole.

local NUMBERS = {
  'began', 'complete_since', 'server_since', 'settled', 'longest', 'capacity', 'max_outage',
  'sessions', 'anonymous', 'subjects', 'since', 'last_sweep', 'seq', 'beat', 'appended',
  'trim_time', 'trim_seq', 'trim_below', 'touches',
}
local list = {}
local changed = {}

local function set(field, value)
  list[field] = value
  changed[field] = true
end

local function save()
  local arguments = {}
  for field in pairs(changed) do
    local value = list[field]
    if field == 'everyone' then value = write_counter(value) end
    if type(value) == 'number' then value = text(value) end
    arguments[#arguments + 1] = field
    arguments[#arguments + 1] = value
  end
  if #arguments > 0 then redis.call('HSET', META, unpack(arguments)) end
end

-- Another list, of the same entries, which knows of no session that began at `since` or before.
local function begin_epoch(since)
  redis.call('UNLINK', STREAM)
  set('epoch', FRESH_EPOCH)
  set('mark', FRESH_EPOCH)
  for _, field in ipairs({ 'seq', 'appended', 'beat', 'trim_seq', 'trim_below' }) do set(field, 0) end
  set('began', NOW)
  set('complete_since', since)
  set('last_sweep', NOW)
  set('trim_time', NOW)
  set('settled', NOW + SETTLING)
end

-- Entries are lost. What only grows is kept, where that is known.
local function begin_anew()
  redis.call('UNLINK', unpack(KEYS))
  list.server = nil
  set('format', FORMAT)
  for _, field in ipairs({ 'longest', 'capacity', 'max_outage', 'since' }) do
    set(field, list[field] or 0)
  end
  set('everyone', list.everyone or no_counter())
  -- By whichever clock is ahead, that of before or that of now.
  begin_epoch(math.max(NOW, list.complete_since or 0, list.last_sweep or 0, list.beat or 0))
  for _, field in ipairs(NUMBERS) do
    if not changed[field] then set(field, 0) end
  end
end

local TYPES = {
  { META, 'hash' }, { SESSIONS, 'hash' }, { ANONYMOUS, 'hash' }, { ORDER, 'zset' },
  { SUBJECTS, 'hash' }, { EXPIRY, 'zset' }, { STREAM, 'stream' },
}

-- Reads the list, or makes it. Returns what is wrong with it, if anything.
local function read_list()
  local kind = redis.call('TYPE', META).ok
  if kind == 'none' then return begin_anew() end
  if kind ~= 'hash' then return 'meta' end
  local fields = redis.call(
    'HMGET', META, 'format', 'epoch', 'mark', 'everyone', 'server', unpack(NUMBERS))
  local format, epoch, mark, everyone = fields[1], fields[2], fields[3], fields[4]
  if format and format ~= FORMAT then return 'format' end
  if not epoch then return begin_anew() end
  if not format then return 'format' end
  if #epoch ~= 8 or not mark or #mark ~= 8 then return 'epoch' end
  list.format, list.epoch, list.mark, list.server = format, epoch, mark, fields[5]
  list.everyone = everyone and read_counter(everyone, 1)
  if not list.everyone then return 'everyone' end
  for index, field in ipairs(NUMBERS) do
    list[field] = number(fields[index + 5])
    if not list[field] then return field end
  end
  for _, key in ipairs(TYPES) do
    local found = redis.call('TYPE', key[1]).ok
    if found ~= 'none' and found ~= key[2] then return string.match(key[1], '[^:]*$') end
  end
  -- More than there must be is somebody's doing and loses nothing; fewer is a loss.
  if redis.call('HLEN', SESSIONS) < list.sessions
    or redis.call('HLEN', ANONYMOUS) < list.anonymous
    or redis.call('ZCARD', ORDER) < list.anonymous
    or redis.call('HLEN', SUBJECTS) < list.subjects
    or redis.call('ZCARD', EXPIRY) < list.sessions + list.anonymous + list.subjects
  then
    begin_anew()
  elseif NOW + BACKWARD < list.last_sweep then
    -- One of two clocks was wrong. If it was that of the sweep, what it dropped may still be needed; if it
    -- is that of now, nothing is missing of what the list knew.
    begin_epoch(math.max(NOW, list.complete_since))
  end
end

-- The same, and notes which server it is on.
local function open()
  local here = server()
  if not here then return { 'nameless' } end
  local unreadable = read_list()
  if unreadable then return { 'unreadable', unreadable } end
  if list.server ~= here then
    set('server', here)
    set('server_since', NOW)
    set('settled', NOW + SETTLING)
  end
  -- Later was said by a clock that was ahead.
  if list.settled > NOW + SETTLING then set('settled', NOW + SETTLING) end
end

-- What the list says of itself with its answers.
local function state()
  return struct.pack(
    '>c8c16I8I8I8I8I8I8', list.epoch, list.server, NOW, list.complete_since,
    math.max(list.settled - NOW, 0), list.longest, list.capacity, list.max_outage)
end

-- Something that the list lacked was restored: it settles for longer, but only a node's first restoration may
-- go on without an end.
local function prolong(is_first)
  local ends = NOW + SETTLING
  if not is_first then
    ends = math.min(ends, math.max(list.began, list.server_since) + list.max_outage)
  end
  if ends > list.settled then set('settled', ends) end
end

-- Tells the followers: the next number, which mark comes before it and which one is its own.
local function append(field, value)
  local sequence = list.seq + 1
  local entry = { STREAM, text(sequence) .. '-0', 'p', list.mark, 'm', FRESH_MARK, field, value }
  local added = redis.pcall('XADD', unpack(entry))
  if type(added) == 'table' and added.err then
    -- Somebody else's entries are in the way. Followers see that theirs are gone.
    redis.call('UNLINK', STREAM)
    redis.call('XADD', unpack(entry))
  end
  set('seq', sequence)
  set('mark', FRESH_MARK)
  set('appended', NOW)
end

local function expires(kind, id, ends)
  redis.call('ZADD', EXPIRY, text(ends), string.char(kind) .. id)
end

-- Joining.

local function joined(old, new)
  local stricter = old
  if new.serial > old.serial or (new.serial == old.serial and new.from < old.from) then
    stricter = new
  end
  return {
    serial = stricter.serial, from = stricter.from, ends = math.max(old.ends, new.ends),
    created = new.created and math.max(old.created, new.created),
  }
end

local function same(a, b)
  return a.serial == b.serial and a.from == b.from and a.ends == b.ends
    and a.created == b.created
end

-- Whether a login over the session has made another one of it.
local function succeeded(id)
  local value = redis.call('HGET', SESSIONS, id)
  local held = value and read_session(value)
  return held and held.serial == SUCCEEDED
end

-- Each returns whether the entry was fresh and, if it changed anything, what is there now. The last
-- result is true if what is stored was not understood, and left alone: it refuses all that it could to
-- whoever reads it, and followers, who did not, are told what came.

local function join_session(id, entry)
  local value = redis.call('HGET', SESSIONS, id)
  local old = value and read_session(value)
  if value and not old then return false, entry, true end
  local new = old and joined(old, entry) or entry
  if old and same(old, new) then return false end
  redis.call('HSET', SESSIONS, id, write_session(new))
  if not old then set('sessions', list.sessions + 1) end
  if not old or old.ends ~= new.ends then expires(SESSION, id, new.ends) end
  return not old or entry.serial > old.serial, new
end

-- As long as any cookie could need it: as `SubjectEntry::kept`.
local function kept(entry)
  return capped(math.max(entry.ends, entry.generation + list.longest))
end

local function store_subject(id, old_ends, new)
  redis.call('HSET', SUBJECTS, id, write_subject(new))
  if not old_ends then set('subjects', list.subjects + 1) end
  if old_ends ~= new.ends then expires(SUBJECT, id, new.ends) end
end

local function join_subject(id, generation, ends)
  local value = redis.call('HGET', SUBJECTS, id)
  local old = value and read_subject(value)
  if value and not old then return false, { generation = generation, ends = ends }, true end
  local new = old or no_counter()
  local old_ends, old_generation = old and old.ends, new.generation
  new.generation = math.max(old_generation, generation)
  new.ends = math.max(old_ends or 0, ends)
  new.ends = kept(new)
  if old and new.generation == old_generation and new.ends == old_ends then return false end
  store_subject(id, old_ends, new)
  return not old or generation > old_generation, new
end

-- Forgetting.

-- Whether a sweep now can follow the last one.
local function clock_fits()
  return NOW + BACKWARD >= list.last_sweep and NOW <= list.last_sweep + FORWARD
end

local KINDS = {
  [SESSION] = { SESSIONS, read_session, 'sessions' },
  [ANONYMOUS_SESSION] = { ANONYMOUS, read_anonymous, 'anonymous' },
  [SUBJECT] = { SUBJECTS, read_subject, 'subjects' },
}

-- Whether there was anything to forget.
local function forget(kind, id)
  local key, _, counted = unpack(KINDS[kind])
  redis.call('ZREM', EXPIRY, string.char(kind) .. id)
  if kind == ANONYMOUS_SESSION then redis.call('ZREM', ORDER, id) end
  if redis.call('HDEL', key, id) == 0 then return false end
  set(counted, math.max(list[counted] - 1, 0))
  return true
end

-- Drops entries whose time has passed, of at most `limit` that the index names. What the entry itself says
-- decides, not the index: a stray member must not end an entry early. Returns how many it dropped, and looked
-- at.
local function sweep_some(limit)
  set('last_sweep', math.max(list.last_sweep, NOW))
  local due = redis.call(
    'ZRANGE', EXPIRY, '-inf', '(' .. text(NOW), 'BYSCORE', 'LIMIT', '0', text(limit))
  local dropped = 0
  for _, member in ipairs(due) do
    local kind, id = string.byte(member), string.sub(member, 2)
    local key, read = unpack(KINDS[kind] or {})
    local value = key and redis.call('HGET', key, id)
    if not value then
      redis.call('ZREM', EXPIRY, member)
    else
      local entry = read(value)
      local ends = entry and entry.ends
      if not entry then
        ends = capped(NOW + list.longest)
      elseif kind == SUBJECT then
        ends = kept(entry)
      end
      if ends < NOW then
        if forget(kind, id) then dropped = dropped + 1 end
      else
        if entry and kind == SUBJECT and entry.ends ~= ends then
          entry.ends = ends
          redis.call('HSET', SUBJECTS, id, write_subject(entry))
        end
        redis.call('ZADD', EXPIRY, text(ends), member)
      end
    end
  end
  return dropped, #due
end

-- Drops at most `limit` entries of anonymous sessions that are refused by when they began. Returns how many.
local function drop_refused(limit)
  if list.since == 0 or limit <= 0 then return 0 end
  local refused = redis.call(
    'ZRANGE', ORDER, '-inf', text(list.since), 'BYSCORE', 'LIMIT', '0', text(limit))
  for _, id in ipairs(refused) do forget(ANONYMOUS_SESSION, id) end
  return #refused
end

-- Makes room for anonymous sessions: what is refused already goes first, then what expired, then all that
-- began first, which are refused from now on. `room.left` entries at the most: if they do not do, the next
-- publication goes on.
local function make_room(room)
  local capacity = list.capacity > 0 and list.capacity or ANONYMOUS_CAPACITY
  if list.anonymous <= capacity then return end
  room.left = room.left - drop_refused(room.left)
  if list.anonymous > capacity and room.left > 0 and clock_fits() then
    local _, looked_at = sweep_some(room.left)
    room.left = room.left - looked_at
  end
  while list.anonymous > capacity and room.left > 0 do
    local id, created = unpack(redis.call('ZRANGE', ORDER, '0', '0', 'WITHSCORES'))
    created = tonumber(created)
    if not id or created > NOW + SKEW then return end
    if redis.call('HGET', ANONYMOUS, id) then set('since', math.max(list.since, created)) end
    forget(ANONYMOUS_SESSION, id)
    room.left = room.left - 1
    room.left = room.left - drop_refused(room.left)
  end
end

-- As the others. The second result is also nil where the session is refused by when it began.
local function join_anonymous(id, entry, room)
  if entry.created <= list.since then return false end
  local value = redis.call('HGET', ANONYMOUS, id)
  local old = value and read_anonymous(value)
  if value and not old then return false, entry, true end
  local new = old and joined(old, entry) or entry
  if old and same(old, new) then return false end
  redis.call('HSET', ANONYMOUS, id, write_anonymous(new))
  if not old then set('anonymous', list.anonymous + 1) end
  if not old or old.ends ~= new.ends then expires(ANONYMOUS_SESSION, id, new.ends) end
  if not old or old.created ~= new.created then
    redis.call('ZADD', ORDER, text(new.created), id)
  end
  make_room(room)
  if new.created <= list.since then return false end
  return not old or entry.serial > old.serial, new
end

-- What can be asked for. Each returns what it answers beside the state, or nil and what is wrong.

local operations = {}

function operations.announce(longest, capacity, max_outage)
  for field, announced in pairs({
    longest = longest, capacity = capacity, max_outage = max_outage,
  }) do
    if tonumber(announced) > list[field] then set(field, tonumber(announced)) end
  end
  return {}
end

function operations.publish(records, purpose)
  if #records % RECORD_LENGTH ~= 0 then return nil, { 'malformed' } end
  for at = 1, #records, RECORD_LENGTH do
    local kind, _, _, from, _, created = struct.unpack(RECORD, records, at)
    if kind < SESSION or kind > SINCE then return nil, { 'malformed' } end
    local began = kind == SINCE and from or created
    if began > NOW + SKEW then return nil, { 'ahead', NOW, capped(began) } end
  end
  local answers, news, is_serious = {}, {}, false
  local room, since = { left = ROOM_STEP }, list.since
  for at = 1, #records, RECORD_LENGTH do
    local kind, id, serial, from, ends, created = struct.unpack(RECORD, records, at)
    local fresh, new, odd, over, ended
    if kind == EVERYONE then
      fresh = from > list.everyone.generation
      if fresh then
        list.everyone.generation = from
        set('everyone', list.everyone)
        new = { from = from, ends = LARGEST }
      end
    elseif kind == SINCE then
      fresh = from > list.since
      if fresh then
        set('since', from)
        room.left = room.left - drop_refused(room.left)
      end
    elseif kind == SUBJECT then
      fresh, new, odd = join_subject(id, from, ends)
      if new then new.from = new.generation end
    elseif kind == SESSION then
      over = succeeded(id)
      fresh, new, odd = join_session(id, { serial = serial, from = from, ends = ends })
    else
      over = succeeded(id)
      local entry = { serial = serial, from = from, ends = ends, created = created }
      fresh, new, odd = join_anonymous(id, entry, room)
      ended = created <= list.since
    end
    answers[#answers + 1] = over and '2' or ended and '3' or fresh and '1' or '0'
    if new then
      if not odd and kind ~= ANONYMOUS_SESSION then is_serious = true end
      news[#news + 1] = struct.pack(
        RECORD, kind, id, new.serial or 0, new.from, new.ends, new.created or 0)
    end
  end
  if list.since > since then
    news[#news + 1] = struct.pack(RECORD, SINCE, NOBODY, 0, list.since, LARGEST, 0)
  end
  if #news > 0 then append('e', table.concat(news)) end
  if purpose == 'first' and #records > 0 then prolong(true) end
  if purpose == 'restoration' and is_serious then prolong(false) end
  -- Something to wait for, also where nothing changed.
  set('touches', (list.touches + 1) % LARGEST)
  return { table.concat(answers) }
end

-- The result of the raise that this repeats.
local function repeated(counter, raise_id)
  for _, past in ipairs(counter.recent) do
    if past.id == raise_id then return past end
  end
end

-- Raises `counter`. Returns the result; nil at the top.
local function raise(counter, raise_id, known)
  local previous = math.max(counter.generation, known)
  local generation = math.max(previous + 1, NOW)
  if generation >= LARGEST then return nil end
  local raised = { id = raise_id, to = generation, previous = previous }
  counter.generation = generation
  table.insert(counter.recent, 1, raised)
  counter.recent[REMEMBERED + 1] = nil
  return raised
end

function operations.raise(subject, raise_id, known, ends_after, only_on)
  known, ends_after = tonumber(known), tonumber(ends_after)
  local counter, old_ends = list.everyone, nil
  if subject ~= '' then
    local value = redis.call('HGET', SUBJECTS, subject)
    counter = value and read_subject(value)
    if value and not counter then return nil, { 'unreadable', 'subject' } end
    old_ends = counter and counter.ends
    counter = counter or no_counter()
  end
  -- First: what was raised was raised, whichever server it is now.
  local past, raised = repeated(counter, raise_id), false
  if not past then
    if only_on ~= '' and only_on ~= list.epoch .. list.server then return nil, { 'replaced' } end
    past, raised = raise(counter, raise_id, known), true
  end
  if not past then return nil, { 'exhausted' } end
  local ends = LARGEST
  if subject ~= '' then
    counter.ends = math.max(old_ends or 0, ends_after)
    counter.ends = kept(counter)
    ends = counter.ends
    if ends ~= old_ends or raised then store_subject(subject, old_ends, counter) end
  elseif raised then
    set('everyone', counter)
  end
  if raised then
    local kind, id = EVERYONE, NOBODY
    if subject ~= '' then kind, id = SUBJECT, subject end
    append('e', struct.pack(RECORD, kind, id, 0, counter.generation, ends, 0))
  end
  set('touches', (list.touches + 1) % LARGEST)
  return { past.to, past.previous, ends }
end

function operations.read(subject)
  local generation = 0
  local value = redis.call('HGET', SUBJECTS, subject)
  if value then
    local entry = read_subject(value)
    if not entry then return nil, { 'unreadable', 'subject' } end
    generation = entry.generation
  end
  return { generation, list.everyone.generation }
end

function operations.find(session, subject)
  return {
    list.everyone.generation, list.since,
    redis.call('HGET', SESSIONS, session),
    redis.call('HGET', ANONYMOUS, session),
    subject ~= '' and redis.call('HGET', SUBJECTS, subject),
  }
end

function operations.state()
  return { list.seq, list.mark, list.everyone.generation, list.since }
end

function operations.attest(incarnation, since)
  local is_same = incarnation == list.epoch .. list.server
  if is_same and tonumber(since) < list.complete_since then
    set('complete_since', tonumber(since))
  end
  set('touches', (list.touches + 1) % LARGEST)
  return { is_same and 1 or 0 }
end

function operations.sweep(limit)
  if not clock_fits() then return nil, { 'clock', NOW, list.last_sweep } end
  local dropped, looked_at = sweep_some(tonumber(limit))
  local refused = drop_refused(tonumber(limit))
  return { dropped + refused, math.max(looked_at, refused) }
end

-- Forgets news by age. `trim_seq` was the last number at `trim_time`; once that is `retention` ago,
-- everything below it is older still.
local function trim(retention)
  if NOW < list.trim_time then
    set('trim_time', NOW)
    set('trim_seq', list.seq)
  elseif NOW >= list.trim_time + retention then
    set('trim_below', list.trim_seq)
    set('trim_time', NOW)
    set('trim_seq', list.seq)
  end
  -- In whole nodes and limited batches, so that it never takes long.
  redis.call('XTRIM', STREAM, 'MINID', '~', text(list.trim_below) .. '-0')
end

-- A sign of life, which only a server that can be written to gives.
function operations.beat(retention)
  if NOW + BACKWARD < list.beat then
    append('g', '')
  elseif NOW >= list.appended + HEARTBEAT or NOW < list.appended then
    append('h', '')
  end
  set('beat', NOW)
  trim(tonumber(retention))
  return { list.seq, list.mark }
end

local problem = open()
if problem then return problem end
local answer, problem = operations[OPERATION](unpack(ARGV, 4))
save()
if not answer then return problem end
return { 'ok', state(), unpack(answer) }
