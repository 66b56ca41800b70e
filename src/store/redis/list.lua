-- One revocation list, in seven keys of one hash slot. All that is ever written to them, this script
-- writes; each call is atomic. It is one file because a server runs it as one text.
--
-- 1. Time is the server's: TIME, asked here. Epochs and marks are random bytes from the caller.
-- 2. Numbers are whole and below 2^53, and LARGEST stands for "never ends". They are written by
--    text() or struct.pack, never by tostring, which makes 1.79e+12 of a time.
-- 3. Nothing is written before everything that can fail was read. A call that ends in the middle
--    would leave entries behind that no follower is told of.
-- 4. A value that is not understood is never written over and never counts as "not revoked".
-- 5. A list that has fewer entries than it counted, or that may have dropped some before their time,
--    begins a new epoch, which knows of no session from before.
-- 6. Each answer says which server gives it. A list that finds itself on another server than before,
--    because a copy was promoted or the server was restarted, may lack the last that it was told.
--
-- Arguments: the operation, a fresh mark, a fresh epoch, then what the operation needs.
-- Answers: the list's state and the operation's result, or an error whose first word says what is wrong.

local META, SESSIONS, ANONYMOUS, SUBJECTS, ORDER, EXPIRY, STREAM = unpack(KEYS)
local OPERATION, FRESH_MARK, FRESH_EPOCH = ARGV[1], ARGV[2], ARGV[3]
local LARGEST = 9007199254740991
-- The version of all that is stored.
local FORMAT = '3'
-- Kinds of entries. The first three have a key of their own, in this order after META.
local SESSION, ANONYMOUS_SESSION, SUBJECT, EVERYONE, SINCE = 1, 2, 3, 4, 5
local COUNTED = { 'sessions', 'anonymous', 'subjects' }
-- What a login over a session publishes, the largest serial.
local SUCCEEDED = 4294967295

-- How far a clock may jump back before followers must take a new snapshot.
local BACKWARD = 60000
-- How long after a sweep no session from before it lives any more.
local FORWARD = 34560000000
-- How long the list settles after it began, or something was restored: nodes may hold what it lacks.
local SETTLING = 30000
-- How far ahead of this clock a session may have begun.
local SKEW = 60000
-- How many entries of anonymous sessions are kept where no node announced it.
local ANONYMOUS_CAPACITY = 500000
-- How many entries a publication looks at or drops to make room.
local ROOM_STEP = 1000
-- How often followers are told that there is nothing to tell.
local HEARTBEAT = 1000

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

local TIME = redis.call('TIME')
local NOW = tonumber(TIME[1]) * 1000 + math.floor(tonumber(TIME[2]) / 1000)

-- Sixteen digits of a random name that each start of a server draws. Asking takes some 4 us. A name that was
-- kept would be the other server's after a failover.
local DIGITS = string.rep('%x', 16)
local SERVER = string.match(redis.call('INFO', 'server'), '\nrun_id:(' .. DIGITS .. ')')

-- Entries: serial, from (of a subject and of everyone the generation), until; of an anonymous session when
-- it began; of a subject the session that is spared, and from which generation on that lives; of a generation the
-- ids of its last raises, the newest first. What an entry has not is zero or empty.

-- What an entry says travels packed: serial, from, until, then what only its kind has. A record is its kind, its
-- id, and that. A value is its version, 1, and that, and the ids of raises.
local HEAD, HEAD_LENGTH = '>I4I8I8', 20
local TAILS = { [ANONYMOUS_SESSION] = '>I8', [SUBJECT] = '>c16I8' }
local TAIL_LENGTHS = { [ANONYMOUS_SESSION] = 8, [SUBJECT] = 24 }
local REMEMBERED = 4
local ID_LENGTH = 16
local NOBODY = string.rep('\0', ID_LENGTH)
local NO_RAISES = {}

local function new_entry(serial, from, ends)
  return {
    serial = serial, from = from, ends = ends, created = 0, spared = NOBODY, least = 0,
    raises = NO_RAISES,
  }
end

local function write_entry(kind, entry)
  local head = struct.pack(HEAD, entry.serial, entry.from, entry.ends)
  if kind == ANONYMOUS_SESSION then return head .. struct.pack(TAILS[kind], entry.created) end
  if kind == SUBJECT then return head .. struct.pack(TAILS[kind], entry.spared, entry.least) end
  return head
end

-- Returns the entry, and where it ends. Nil if it is cut off.
local function read_entry(kind, bytes, at)
  local after = at + HEAD_LENGTH + (TAIL_LENGTHS[kind] or 0)
  if #bytes < after - 1 then return nil end
  local serial, from, ends, tail = struct.unpack(HEAD, bytes, at)
  local entry = new_entry(serial, capped(from), capped(ends))
  if kind == ANONYMOUS_SESSION then
    entry.created = capped(struct.unpack(TAILS[kind], bytes, tail))
  elseif kind == SUBJECT then
    entry.spared, entry.least = struct.unpack(TAILS[kind], bytes, tail)
  end
  return entry, after
end

-- Nil if it is not understood.
local function read_value(kind, value)
  if string.byte(value) ~= 1 then return nil end
  local entry, at = read_entry(kind, value, 2)
  if not entry then return nil end
  if kind == SESSION or kind == ANONYMOUS_SESSION then return at > #value and entry or nil end
  local count = (#value - at + 1) / ID_LENGTH
  if entry.from >= LARGEST or count > REMEMBERED or count % 1 ~= 0 then return nil end
  entry.raises = {}
  for each = at, #value, ID_LENGTH do
    table.insert(entry.raises, string.sub(value, each, each + ID_LENGTH - 1))
  end
  return entry
end

local function write_value(kind, entry)
  return '\1' .. write_entry(kind, entry) .. table.concat(entry.raises)
end

local function record(kind, id, entry)
  return string.char(kind) .. id .. write_entry(kind, entry)
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

-- A new epoch of the same entries, which knows of no session that began at `since` or before.
local function begin_epoch(since)
  redis.call('UNLINK', STREAM)
  set('epoch', FRESH_EPOCH)
  set('mark', FRESH_EPOCH)
  for _, field in ipairs({ 'seq', 'appended', 'beat', 'trim_seq', 'trim_below' }) do set(field, 0) end
  for _, field in ipairs({ 'began', 'last_sweep', 'trim_time' }) do set(field, NOW) end
  set('complete_since', since)
  set('settled', NOW + SETTLING)
end

-- Entries are lost. What only grows is kept, where that is known.
local function begin_anew()
  redis.call('UNLINK', unpack(KEYS))
  list.server = nil
  set('format', FORMAT)
  set('everyone', list.everyone or new_entry(0, 0, LARGEST))
  for _, field in ipairs({ 'longest', 'capacity', 'max_outage', 'since' }) do
    set(field, list[field] or 0)
  end
  -- By the clock that is further ahead, the one before or this one.
  begin_epoch(math.max(NOW, list.complete_since or 0, list.last_sweep or 0, list.beat or 0))
  for _, field in ipairs(NUMBERS) do
    if not changed[field] then set(field, 0) end
  end
end

-- Reads the list, or makes it. Returns the name of a field or key that is not understood.
local function read_list()
  local fields = redis.call(
    'HMGET', META, 'format', 'epoch', 'mark', 'everyone', 'server', unpack(NUMBERS))
  local format, epoch, mark, everyone = fields[1], fields[2], fields[3], fields[4]
  if format ~= FORMAT and (format or epoch) then return 'format' end
  if not epoch then return begin_anew() end
  if #epoch ~= 8 or not mark or #mark ~= 8 then return 'epoch' end
  list.format, list.epoch, list.mark, list.server = format, epoch, mark, fields[5]
  list.everyone = everyone and read_value(EVERYONE, everyone)
  if not list.everyone then return 'everyone' end
  for index, field in ipairs(NUMBERS) do
    list[field] = number(fields[index + 5])
    if not list[field] then return field end
  end
  -- A key of another type ends the call, here or below.
  local kind = redis.call('TYPE', STREAM).ok
  if kind ~= 'stream' and kind ~= 'none' then return 'stream' end
  -- More than there must be is somebody's doing and loses nothing. Fewer is a loss.
  if redis.call('HLEN', SESSIONS) < list.sessions
    or redis.call('HLEN', ANONYMOUS) < list.anonymous
    or redis.call('ZCARD', ORDER) < list.anonymous
    or redis.call('HLEN', SUBJECTS) < list.subjects
    or redis.call('ZCARD', EXPIRY) < list.sessions + list.anonymous + list.subjects
  then
    begin_anew()
  elseif NOW + BACKWARD < list.last_sweep then
    -- One of two clocks was wrong. If it was that of the sweep, what it dropped may still be needed. If it is
    -- this one, nothing is missing.
    begin_epoch(math.max(NOW, list.complete_since))
  end
end

-- Tells the followers: the next number, the mark before it and its own.
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

-- Entries, one by one.

-- As long as any cookie could need a generation: as `SubjectEntry::kept`.
local function kept(entry)
  return capped(math.max(entry.ends, entry.from + list.longest))
end

-- The entry, and whether there is one that is not understood.
local function lookup(kind, id)
  if kind == EVERYONE then return list.everyone end
  local value = redis.call('HGET', KEYS[kind + 1], id)
  local entry = value and read_value(kind, value)
  if entry and kind == SUBJECT then entry.ends = kept(entry) end
  return entry, value and not entry
end

local function store(kind, id, old, new)
  if kind == EVERYONE then return set('everyone', new) end
  local counted = COUNTED[kind]
  redis.call('HSET', KEYS[kind + 1], id, write_value(kind, new))
  if not old then set(counted, list[counted] + 1) end
  if not old or old.ends ~= new.ends then
    redis.call('ZADD', EXPIRY, text(new.ends), string.char(kind) .. id)
  end
  if kind == ANONYMOUS_SESSION and not (old and old.created == new.created) then
    redis.call('ZADD', ORDER, text(new.created), id)
  end
end

local function forget(kind, id)
  local counted = COUNTED[kind]
  redis.call('ZREM', EXPIRY, string.char(kind) .. id)
  if kind == ANONYMOUS_SESSION then redis.call('ZREM', ORDER, id) end
  set(counted, math.max(list[counted] - redis.call('HDEL', KEYS[kind + 1], id), 0))
end

-- From which generation on a session of the subject lives.
local function least_of(entry, session)
  return entry.spared == session and entry.least or entry.from
end

-- Nobody has the id NOBODY.
local function spare(entry, session, least)
  local spares = session ~= NOBODY and least < entry.from
  entry.spared, entry.least = spares and session or NOBODY, spares and least or 0
end

-- Of two generations the larger counts, session by session. Of two sessions' entries the larger serial counts, then
-- the earlier `from`.
local function joined(kind, old, new)
  local is_generation = kind == SUBJECT or kind == EVERYONE
  local is_stricter
  if is_generation then
    is_stricter = new.from > old.from
  else
    is_stricter = new.serial > old.serial or (new.serial == old.serial and new.from < old.from)
  end
  local stricter, other = old, new
  if is_stricter then stricter, other = new, old end
  local entry = new_entry(stricter.serial, stricter.from, math.max(old.ends, new.ends))
  entry.created = math.max(old.created, new.created)
  entry.raises = old.raises
  if is_generation then
    local session = stricter.spared
    spare(entry, session, math.max(stricter.least, least_of(other, session)))
  end
  return entry
end

-- Returns whether the entry was fresh and, if it changed anything, the entry that is there now. The last
-- result is true if the stored value is not understood. It is left alone, and readers take it for the strictest
-- one. Followers have not read it, so they are told of the new entry.
local function join(kind, id, entry)
  local old, is_odd = lookup(kind, id)
  if is_odd then return false, entry, true end
  local new = old and joined(kind, old, entry) or entry
  if kind == SUBJECT then new.ends = kept(new) end
  if old and old.serial == new.serial and old.from == new.from and old.ends == new.ends
    and old.created == new.created and old.spared == new.spared and old.least == new.least
  then
    return false
  end
  store(kind, id, old, new)
  local is_fresh = not old or entry.serial > old.serial
  local is_generation = kind == SUBJECT or kind == EVERYONE
  return is_fresh or is_generation and new.from > old.from, new
end

-- Forgetting.

-- Whether a sweep now can follow the last one.
local function clock_fits()
  return NOW + BACKWARD >= list.last_sweep and NOW <= list.last_sweep + FORWARD
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
    local entry, is_odd
    if COUNTED[kind] then entry, is_odd = lookup(kind, id) end
    local ends = is_odd and capped(NOW + list.longest) or entry and entry.ends
    if not ends then
      redis.call('ZREM', EXPIRY, member)
    elseif ends < NOW then
      forget(kind, id)
      dropped = dropped + 1
    else
      redis.call('ZADD', EXPIRY, text(ends), member)
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

-- How many entries this call may still look at or drop to make room. If they do not do, the next one goes on.
local room = ROOM_STEP

-- Makes room for anonymous sessions. Entries of refused sessions go first, then expired ones, then those of the
-- sessions that began first, which are refused from now on.
local function make_room()
  local capacity = list.capacity > 0 and list.capacity or ANONYMOUS_CAPACITY
  if list.anonymous <= capacity then return end
  room = room - drop_refused(room)
  if list.anonymous > capacity and room > 0 and clock_fits() then
    local _, looked_at = sweep_some(room)
    room = room - looked_at
  end
  while list.anonymous > capacity and room > 0 do
    local id, created = unpack(redis.call('ZRANGE', ORDER, '0', '0', 'WITHSCORES'))
    created = tonumber(created)
    if not id or created > NOW + SKEW then return end
    if redis.call('HGET', ANONYMOUS, id) then set('since', math.max(list.since, created)) end
    forget(ANONYMOUS_SESSION, id)
    room = room - 1
    room = room - drop_refused(room)
  end
end

-- The operations. Each returns its result, or nil and an error.

local operations = {}

function operations.announce(...)
  local announced = { ... }
  for index, field in ipairs({ 'longest', 'capacity', 'max_outage' }) do
    set(field, math.max(list[field], tonumber(announced[index])))
  end
  return {}
end

-- As `join`. An entry of a refused session is not stored.
local function publish_one(kind, id, entry)
  if kind == SINCE then
    local is_fresh = entry.from > list.since
    if is_fresh then
      set('since', entry.from)
      room = room - drop_refused(room)
    end
    return is_fresh
  end
  if kind ~= ANONYMOUS_SESSION then return join(kind, id, entry) end
  if entry.created <= list.since then return false end
  local is_fresh, new, is_odd = join(kind, id, entry)
  if new then make_room() end
  if new and new.created <= list.since then return false end
  return is_fresh, new, is_odd
end

-- Stores nothing if anonymous sessions would be refused too far ahead of this clock. The second result is then until
-- when.
function operations.publish(records, purpose)
  local entries = {}
  local at = 1
  while at <= #records do
    local kind, id = string.byte(records, at), string.sub(records, at + 1, at + ID_LENGTH)
    local entry
    entry, at = read_entry(kind, records, at + 1 + ID_LENGTH)
    if kind == SINCE and entry.from > NOW + SKEW then return { '', entry.from } end
    -- It could not make room: `since` is never further ahead.
    if kind == ANONYMOUS_SESSION and entry.created > NOW + SKEW then
      kind, entry.created = SESSION, 0
    end
    table.insert(entries, { kind, id, entry })
  end
  local answers, told, is_serious, since = {}, {}, false, list.since
  for _, published in ipairs(entries) do
    local kind, id, entry = unpack(published)
    local held = (kind == SESSION or kind == ANONYMOUS_SESSION) and lookup(SESSION, id)
    local is_fresh, new, is_odd = publish_one(kind, id, entry)
    local answer = is_fresh and '1' or '0'
    if kind == ANONYMOUS_SESSION and entry.created <= list.since then answer = '3' end
    -- A login over the session has made another one of it.
    if held and held.serial == SUCCEEDED then answer = '2' end
    table.insert(answers, answer)
    if new then
      if not is_odd and kind ~= ANONYMOUS_SESSION then is_serious = true end
      table.insert(told, record(kind, id, new))
    end
  end
  if list.since > since then
    table.insert(told, record(SINCE, NOBODY, new_entry(0, list.since, LARGEST)))
  end
  if #told > 0 then append('e', table.concat(told)) end
  -- Something was restored that the list lacked: it settles for longer. Only a node's first restoration may go
  -- on without an end.
  local settled = list.settled
  if purpose == 'first' and #entries > 0 then
    settled = NOW + SETTLING
  elseif purpose == 'restoration' and is_serious then
    local last = math.max(list.began, list.server_since) + list.max_outage
    settled = math.min(NOW + SETTLING, last)
  end
  if settled > list.settled then set('settled', settled) end
  return { table.concat(answers), 0 }
end

function operations.raise(subject, raise_id, known, ends_after, session, least)
  local kind, id = EVERYONE, NOBODY
  if subject ~= '' then kind, id = SUBJECT, subject end
  local old, is_odd = lookup(kind, id)
  if is_odd then return nil, 'UNREADABLE subject' end
  local asked = new_entry(0, 0, tonumber(ends_after))
  local held = old or asked
  local new = joined(kind, held, asked)
  local is_raised = true
  for _, past in ipairs(held.raises) do
    if past == raise_id then is_raised = false end
  end
  if is_raised then
    new.from = math.max(held.from + 1, tonumber(known) + 1, NOW)
    if new.from >= LARGEST then return nil, 'EXHAUSTED generations' end
    -- Whoever is spared keeps what held for it.
    spare(new, session, math.max(tonumber(least), least_of(held, session)))
    new.raises = { raise_id, unpack(held.raises, 1, REMEMBERED - 1) }
  end
  new.ends = kept(new)
  if is_raised or new.ends ~= old.ends then store(kind, id, old, new) end
  if is_raised then append('e', record(kind, id, new)) end
  return { new.from, new.ends, new.spared, new.least }
end

-- Calls `use` with each subject of those that stand one after the other.
local function each_subject(subjects, use)
  for at = 1, #subjects, ID_LENGTH do use(string.sub(subjects, at, at + ID_LENGTH - 1)) end
end

function operations.read(subjects)
  local generations, unreadable = {}, false
  each_subject(subjects, function(subject)
    local entry, is_odd = lookup(SUBJECT, subject)
    unreadable = unreadable or is_odd
    table.insert(generations, entry and entry.from or 0)
  end)
  if unreadable then return nil, 'UNREADABLE subject' end
  return { list.everyone.from, generations }
end

function operations.find(session, subjects)
  local found = {}
  each_subject(subjects, function(subject)
    table.insert(found, redis.call('HGET', SUBJECTS, subject))
  end)
  return {
    list.everyone.from, list.since,
    redis.call('HGET', SESSIONS, session),
    redis.call('HGET', ANONYMOUS, session),
    found,
  }
end

function operations.state()
  return { list.seq, list.mark, list.everyone.from, list.since }
end

function operations.attest(incarnation, since)
  local is_same = incarnation == list.epoch .. list.server
  if is_same then set('complete_since', math.min(list.complete_since, tonumber(since))) end
  return { is_same and 1 or 0 }
end

-- Also tells when the last sweep was. A clock that cannot follow it drops nothing.
function operations.sweep(limit)
  if not clock_fits() then return { 0, 0, list.last_sweep } end
  local dropped, looked_at = sweep_some(tonumber(limit))
  local refused = drop_refused(tonumber(limit))
  return { dropped + refused, math.max(looked_at, refused), list.last_sweep }
end

-- A sign of life, which only a server that can be written to gives.
function operations.beat(retention)
  if NOW + BACKWARD < list.beat then
    append('g', '')
  elseif NOW >= list.appended + HEARTBEAT or NOW < list.appended then
    append('h', '')
  end
  set('beat', NOW)
  -- Publications are forgotten by age. `trim_seq` was the last number at `trim_time`: once that is `retention` ago,
  -- everything below it is older still.
  local is_due = NOW >= list.trim_time + tonumber(retention)
  if is_due then set('trim_below', list.trim_seq) end
  if is_due or NOW < list.trim_time then
    set('trim_time', NOW)
    set('trim_seq', list.seq)
  end
  -- In whole nodes and limited batches, so that it never takes long.
  redis.call('XTRIM', STREAM, 'MINID', '~', text(list.trim_below) .. '-0')
  return { list.seq, list.mark }
end

-- These callers may wait for replicas, and need something to wait for, also where nothing changes.
local WAITED_FOR = { publish = true, raise = true, attest = true }

if not SERVER then return redis.error_reply('NAMELESS without a run_id') end
local unreadable = read_list()
if unreadable then return redis.error_reply('UNREADABLE ' .. unreadable) end
if list.server ~= SERVER then
  set('server', SERVER)
  set('server_since', NOW)
  set('settled', NOW + SETTLING)
end
-- A later time was said by a clock that was ahead.
if list.settled > NOW + SETTLING then set('settled', NOW + SETTLING) end
if WAITED_FOR[OPERATION] then set('touches', (list.touches + 1) % LARGEST) end

local result, problem = operations[OPERATION](unpack(ARGV, 4))

local arguments = {}
for field in pairs(changed) do
  local value = list[field]
  if field == 'everyone' then value = write_value(EVERYONE, value) end
  if type(value) == 'number' then value = text(value) end
  table.insert(arguments, field)
  table.insert(arguments, value)
end
if #arguments > 0 then redis.call('HSET', META, unpack(arguments)) end
if problem then return redis.error_reply(problem) end
local state = {
  list.epoch, list.server, NOW, list.complete_since, math.max(list.settled - NOW, 0),
  list.longest, list.capacity, list.max_outage,
}
return { state, result }
