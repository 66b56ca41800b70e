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
--    begins another list, which vouches for nothing from before.
--
-- Arguments: what to do, a fresh mark, a fresh epoch, then what the operation needs.
-- Answers: "ok" and what was asked for, or what is wrong.

local META, SESSIONS, VISITORS, ORDER, SUBJECTS, EXPIRY, NEWS = unpack(KEYS)
local OPERATION, FRESH_MARK, FRESH_EPOCH = ARGV[1], ARGV[2], ARGV[3]
local LARGEST = 9007199254740991
local SESSION, VISITOR, SUBJECT, EVERYONE = 1, 2, 3, 4
-- What a login over a session publishes, the largest serial.
local SUCCEEDED = 4294967295

-- How far a clock may jump back before followers must take a new snapshot.
local BACKWARD = 60000
-- For how long after it began anew, or was given something back, the list may lack what nodes hold.
local SETTLING = 30000
-- How often followers are told that there is nothing to tell.
local HEARTBEAT = 1000

-- Records travel packed: kind, id, serial, from (or generation), until.
local RECORD, RECORD_LENGTH = '>Bc16I4I8I8', 37
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

-- Values: each begins with its version, 1, and has its exact length. Nil if not understood.

local function read_session(value)
  if #value ~= 21 or string.byte(value) ~= 1 then return nil end
  local _, serial, from, ends = struct.unpack('>BI4I8I8', value)
  return { serial = serial, from = capped(from), ends = capped(ends) }
end

local function write_session(entry)
  return struct.pack('>BI4I8I8', 1, entry.serial, entry.from, entry.ends)
end

local function read_visitor(value)
  if #value ~= 29 or string.byte(value) ~= 1 then return nil end
  local _, serial, from, ends, place = struct.unpack('>BI4I8I8I8', value)
  return { serial = serial, from = capped(from), ends = capped(ends), place = capped(place) }
end

local function write_visitor(entry)
  return struct.pack('>BI4I8I8I8', 1, entry.serial, entry.from, entry.ends, entry.place)
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
  'born', 'longest', 'seq', 'last_sweep', 'beat', 'appended', 'sessions', 'visitors', 'subjects',
  'place', 'visitors_dropped', 'trim_time', 'trim_seq', 'trim_below', 'touches', 'settled', 'floor',
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

-- Another list, of the same entries.
local function begin_epoch(born)
  redis.call('UNLINK', NEWS)
  set('epoch', FRESH_EPOCH)
  set('mark', FRESH_EPOCH)
  for _, field in ipairs({ 'seq', 'appended', 'beat', 'trim_seq', 'trim_below' }) do set(field, 0) end
  set('born', born)
  set('last_sweep', NOW)
  set('trim_time', NOW)
  set('settled', NOW + SETTLING)
end

local function begin_anew()
  redis.call('UNLINK', unpack(KEYS))
  set('format', '1')
  set('longest', list.longest or 0)
  set('floor', list.floor or 0)
  set('everyone', list.everyone or no_counter())
  -- Entries are lost. By whichever clock is ahead, that of before or that of now.
  begin_epoch(math.max(NOW, list.born or 0, list.last_sweep or 0, list.beat or 0))
  for _, field in ipairs(NUMBERS) do
    if not changed[field] then set(field, 0) end
  end
end

local TYPES = {
  { META, 'hash' }, { SESSIONS, 'hash' }, { VISITORS, 'hash' }, { ORDER, 'zset' },
  { SUBJECTS, 'hash' }, { EXPIRY, 'zset' }, { NEWS, 'stream' },
}

-- Reads the list, or makes it. Returns what is wrong with it, if anything.
local function open()
  local kind = redis.call('TYPE', META).ok
  if kind == 'none' then return begin_anew() end
  if kind ~= 'hash' then return 'meta' end
  local fields = redis.call('HMGET', META, 'format', 'epoch', 'mark', 'everyone', unpack(NUMBERS))
  local format, epoch, mark, everyone = fields[1], fields[2], fields[3], fields[4]
  if format and format ~= '1' then return 'format' end
  if not epoch then return begin_anew() end
  if not format then return 'format' end
  if #epoch ~= 8 or not mark or #mark ~= 8 then return 'epoch' end
  list.format, list.epoch, list.mark = format, epoch, mark
  list.everyone = everyone and read_counter(everyone, 1)
  if not list.everyone then return 'everyone' end
  for index, field in ipairs(NUMBERS) do
    list[field] = number(fields[index + 4])
    if not list[field] then return field end
  end
  for _, key in ipairs(TYPES) do
    local found = redis.call('TYPE', key[1]).ok
    if found ~= 'none' and found ~= key[2] then return string.match(key[1], '[^:]*$') end
  end
  -- More than there must be is somebody's doing and loses nothing; fewer is a loss.
  if redis.call('HLEN', SESSIONS) < list.sessions
    or redis.call('HLEN', VISITORS) < list.visitors
    or redis.call('ZCARD', ORDER) < list.visitors
    or redis.call('HLEN', SUBJECTS) < list.subjects
    or redis.call('ZCARD', EXPIRY) < list.sessions + list.visitors + list.subjects
  then
    begin_anew()
  elseif NOW + BACKWARD < list.last_sweep then
    -- One of two clocks was wrong. If it was that of the sweep, what it dropped may still be needed; if it
    -- is that of now, nothing is missing since the list was born.
    begin_epoch(math.max(NOW, list.born))
  end
  -- That was said by a clock that was ahead.
  if list.settled > NOW + SETTLING then set('settled', NOW + SETTLING) end
end

-- Tells the followers: the next number, which mark comes before it and which one is its own.
local function append(field, value)
  local sequence = list.seq + 1
  local entry = { NEWS, text(sequence) .. '-0', 'p', list.mark, 'm', FRESH_MARK, field, value }
  local added = redis.pcall('XADD', unpack(entry))
  if type(added) == 'table' and added.err then
    -- Somebody else's entries are in the way. Followers see that theirs are gone.
    redis.call('UNLINK', NEWS)
    redis.call('XADD', unpack(entry))
  end
  set('seq', sequence)
  set('mark', FRESH_MARK)
  set('appended', NOW)
end

local function expires(kind, id, ends)
  redis.call('ZADD', EXPIRY, text(ends), string.char(kind) .. id)
end

-- For how much longer nodes may give back what was lost.
local function settling()
  return math.max(list.settled - NOW, 0)
end

-- Joining.

local function joined(old, new)
  local stricter = old
  if new.serial > old.serial or (new.serial == old.serial and new.from < old.from) then
    stricter = new
  end
  return {
    serial = stricter.serial, from = stricter.from, ends = math.max(old.ends, new.ends),
    place = old.place,
  }
end

local function same(a, b)
  return a.serial == b.serial and a.from == b.from and a.ends == b.ends
end

local function drop_oldest_visitors(capacity)
  while list.visitors > capacity do
    local oldest = redis.call('ZPOPMIN', ORDER)[1]
    if not oldest then return end
    if redis.call('HDEL', VISITORS, oldest) == 1 then
      redis.call('ZREM', EXPIRY, string.char(VISITOR) .. oldest)
      set('visitors', list.visitors - 1)
      set('visitors_dropped', capped(list.visitors_dropped + 1))
    end
  end
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

local function join_visitor(id, entry, capacity)
  local value = redis.call('HGET', VISITORS, id)
  local old = value and read_visitor(value)
  if value and not old then return false, entry, true end
  local new = old and joined(old, entry) or entry
  if old and same(old, new) then return false end
  if not old then
    new.place = list.place
    set('place', capped(list.place + 1))
    set('visitors', list.visitors + 1)
    redis.call('ZADD', ORDER, text(new.place), id)
  end
  redis.call('HSET', VISITORS, id, write_visitor(new))
  if not old or old.ends ~= new.ends then expires(VISITOR, id, new.ends) end
  drop_oldest_visitors(capacity)
  return not old or entry.serial > old.serial, new
end

-- As long as any cookie could need it: see the rules of the parent module.
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

-- What can be asked for.

local operations = {}

function operations.announce(longest)
  longest = tonumber(longest)
  if longest > list.longest then
    set('longest', longest)
    -- Followers hold subjects with an earlier `until` than they now have.
    append('g', '')
  end
  return { 'ok' }
end

function operations.publish(records, capacity, giving_back)
  capacity = tonumber(capacity)
  if #records % RECORD_LENGTH ~= 0 then return { 'malformed' } end
  for at = 1, #records, RECORD_LENGTH do
    local kind = string.byte(records, at)
    if kind < SESSION or kind > EVERYONE then return { 'malformed' } end
  end
  local answers, news, unreadable = {}, {}, 0
  for at = 1, #records, RECORD_LENGTH do
    local kind, id, serial, from, ends = struct.unpack(RECORD, records, at)
    local fresh, new, odd, over
    if kind == EVERYONE then
      fresh = from > list.everyone.generation
      if fresh then
        list.everyone.generation = from
        set('everyone', list.everyone)
        new = { serial = 0, from = from, ends = LARGEST }
      end
    elseif kind == SUBJECT then
      fresh, new, odd = join_subject(id, from, ends)
      if new then new = { serial = 0, from = new.generation, ends = new.ends } end
    else
      local entry = { serial = serial, from = from, ends = ends }
      over = succeeded(id)
      if kind == SESSION then
        fresh, new, odd = join_session(id, entry)
      else
        fresh, new, odd = join_visitor(id, entry, capacity)
      end
    end
    answers[#answers + 1] = over and '2' or fresh and '1' or '0'
    if odd then unreadable = unreadable + 1 end
    if new then
      news[#news + 1] = struct.pack(RECORD, kind, id, new.serial, new.from, new.ends)
    end
  end
  if #news > 0 then append('e', table.concat(news)) end
  if giving_back == '1' and #news > 0 then
    set('settled', math.max(list.settled, NOW + SETTLING))
  end
  -- Something to wait for, also where nothing changed.
  set('touches', (list.touches + 1) % LARGEST)
  return { 'ok', table.concat(answers), unreadable }
end

-- Raises `counter`, unless this is a repeat. Returns what the raise came to and whether it was one;
-- nil at the top.
local function raise(counter, raise_id, known)
  for _, past in ipairs(counter.recent) do
    if past.id == raise_id then return past, false end
  end
  local previous = math.max(counter.generation, known)
  local generation = math.max(previous + 1, NOW)
  if generation >= LARGEST then return nil end
  local raised = { id = raise_id, to = generation, previous = previous }
  counter.generation = generation
  table.insert(counter.recent, 1, raised)
  counter.recent[REMEMBERED + 1] = nil
  return raised, true
end

function operations.raise(subject, raise_id, known, ends_after)
  known, ends_after = tonumber(known), tonumber(ends_after)
  local counter, old_ends = list.everyone, nil
  if subject ~= '' then
    local value = redis.call('HGET', SUBJECTS, subject)
    counter = value and read_subject(value)
    if value and not counter then return { 'unreadable', 'subject' } end
    old_ends = counter and counter.ends
    counter = counter or no_counter()
  end
  local past, raised = raise(counter, raise_id, known)
  if not past then return { 'exhausted' } end
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
    append('e', struct.pack(RECORD, kind, id, 0, counter.generation, ends))
  end
  set('touches', (list.touches + 1) % LARGEST)
  return { 'ok', past.to, past.previous, ends, list.born }
end

function operations.read(subject)
  local generation = 0
  local value = redis.call('HGET', SUBJECTS, subject)
  if value then
    local entry = read_subject(value)
    if not entry then return { 'unreadable', 'subject' } end
    generation = entry.generation
  end
  return { 'ok', generation, list.everyone.generation, NOW, list.born }
end

function operations.find(session, subject)
  return {
    'ok', NOW, list.longest, list.born, list.everyone.generation,
    redis.call('HGET', SESSIONS, session),
    redis.call('HGET', VISITORS, session),
    subject ~= '' and redis.call('HGET', SUBJECTS, subject),
  }
end

function operations.state()
  return {
    'ok', list.epoch, list.seq, list.mark, list.born, list.floor, list.longest, NOW,
    list.everyone.generation, list.visitors_dropped, settling(),
  }
end

function operations.vouch(epoch, born)
  born = math.max(tonumber(born), list.floor)
  if epoch == list.epoch and born < list.born then
    -- The first word counts: an earlier one could be of a node that missed an order.
    set('born', born)
    set('floor', born)
    append('b', text(born))
  end
  set('touches', (list.touches + 1) % LARGEST)
  return { 'ok', list.epoch, list.born }
end

function operations.reborn()
  -- As `reborn` in the module `store`.
  if list.born > NOW + BACKWARD then
    set('born', NOW)
  else
    set('born', math.max(list.born, NOW))
  end
  set('floor', list.born)
  set('last_sweep', NOW)
  append('b', text(list.born))
  return { 'ok', list.born }
end

-- Drops a limited number of entries whose time has passed. What the entry itself says decides, not
-- the index: a stray member must not end an entry early.
function operations.sweep(limit, forward)
  if NOW + BACKWARD < list.last_sweep or NOW > list.last_sweep + tonumber(forward) then
    return { 'clock', NOW, list.last_sweep }
  end
  set('last_sweep', math.max(list.last_sweep, NOW))
  local due = redis.call(
    'ZRANGE', EXPIRY, '-inf', '(' .. text(NOW), 'BYSCORE', 'LIMIT', '0', limit)
  local dropped = 0
  for _, member in ipairs(due) do
    local kind, id = string.byte(member), string.sub(member, 2)
    local key, read, counted
    if kind == SESSION then
      key, read, counted = SESSIONS, read_session, 'sessions'
    elseif kind == VISITOR then
      key, read, counted = VISITORS, read_visitor, 'visitors'
    elseif kind == SUBJECT then
      key, read, counted = SUBJECTS, read_subject, 'subjects'
    end
    local value = key and redis.call('HGET', key, id)
    if not value then
      redis.call('ZREM', EXPIRY, member)
    else
      local entry = read(value)
      local ends
      if not entry then
        ends = capped(NOW + list.longest)
      elseif kind == SUBJECT then
        ends = kept(entry)
      else
        ends = entry.ends
      end
      if ends < NOW then
        redis.call('HDEL', key, id)
        redis.call('ZREM', EXPIRY, member)
        if kind == VISITOR then redis.call('ZREM', ORDER, id) end
        set(counted, math.max(list[counted] - 1, 0))
        dropped = dropped + 1
      else
        if entry and kind == SUBJECT and entry.ends ~= ends then
          entry.ends = ends
          redis.call('HSET', SUBJECTS, id, write_subject(entry))
        end
        redis.call('ZADD', EXPIRY, text(ends), member)
      end
    end
  end
  return { 'ok', dropped, #due }
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
  redis.call('XTRIM', NEWS, 'MINID', '~', text(list.trim_below) .. '-0')
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
  return { 'ok', list.epoch, list.seq, list.mark, settling() }
end

local problem = open()
if problem then return { 'unreadable', problem } end
local answer = operations[OPERATION](unpack(ARGV, 4))
save()
return answer
