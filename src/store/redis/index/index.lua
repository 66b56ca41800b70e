-- The rows of one subject, in one hash: the session's id, and what is known of it. A call is one step, which does what
-- `IndexUpdate::apply` says, in its order.
--
-- 1. Time is the caller's. Numbers are whole and below 2^53, and LARGEST stands for "never".
-- 2. A value that is not understood is left as it is, also where it is in the way, and is not counted.
-- 3. The hash is kept for as long as its longest row: by the caller's clock from now on, as the server counts it.
--
-- Arguments: now; the ids that are removed, one after the other; how many rows there may be, and what happens where there
-- are as many; the id and the value of the row that is put, empty where there is none.
-- Answers: whether that row was not put for want of room, and what the hash holds then.

local KEY = KEYS[1]
local NOW, REMOVED, LIMIT, WHEN_FULL = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4]
local SESSION, VALUE = ARGV[5], ARGV[6]
local LARGEST = 9007199254740991
-- The version of each value.
local VERSION = 1
local RESERVED, LISTED, EVICTING = 1, 2, 3
local ID_LENGTH = 16

-- Version, state, last_seen, until, and how long the facts and the label are. These follow.
local HEAD, HEAD_LENGTH = '>I1I1I8I8I2I2', 22

local function capped(value)
  return math.min(value, LARGEST)
end

-- Nil if it is not understood.
local function read(value)
  if #value < HEAD_LENGTH then return nil end
  local version, state, seen, ends, facts, label, at = struct.unpack(HEAD, value)
  if version ~= VERSION or state < RESERVED or state > EVICTING then return nil end
  if #value ~= HEAD_LENGTH + facts + label then return nil end
  return {
    state = state, seen = capped(seen), ends = capped(ends),
    facts = string.sub(value, at, at + facts - 1), label = string.sub(value, at + facts),
  }
end

local function write(row)
  local head = struct.pack(
    HEAD, VERSION, row.state, row.seen, row.ends, #row.facts, #row.label)
  return head .. row.facts .. row.label
end

-- By id. Nothing is written before all was read and decided.
local rows, is_changed = {}, {}
local dropped = {}
-- What is not understood, by its field.
local odd, has_odd = {}, false

local function drop(id)
  rows[id], is_changed[id] = nil, nil
  table.insert(dropped, id)
end

local function put(id, row)
  rows[id], is_changed[id] = row, true
end

-- Lua would compare two strings by the language that the server was started in.
local function is_smaller(one, other)
  for at = 1, ID_LENGTH do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a < b end
  end
  return false
end

-- How many rows are counted, and the id of the one of them that was not seen for the longest time.
local function counted()
  local count, oldest = 0, nil
  for id, row in pairs(rows) do
    if row.state ~= EVICTING then
      count = count + 1
      local than = oldest and rows[oldest]
      if not than or row.seen < than.seen
        or (row.seen == than.seen and is_smaller(id, oldest))
      then
        oldest = id
      end
    end
  end
  return count, oldest
end

-- Whether there is room for one more then.
local function make_room()
  local count, oldest = counted()
  while count >= LIMIT do
    if WHEN_FULL == 'refuse' or not oldest then return false end
    if WHEN_FULL == 'evict' then
      rows[oldest].state = EVICTING
      put(oldest, rows[oldest])
    else
      drop(oldest)
    end
    count, oldest = counted()
  end
  return true
end

local function joined(old, new)
  if old.state == EVICTING then new.state = EVICTING end
  new.seen = math.max(old.seen, new.seen)
  if new.label == '' then new.label = old.label end
  return new
end

local fields = redis.call('HGETALL', KEY)
for at = 1, #fields, 2 do
  local id, value = fields[at], fields[at + 1]
  local row = #id == ID_LENGTH and read(value)
  if row then
    rows[id] = row
  else
    odd[id], has_odd = value, true
  end
end

for id, row in pairs(rows) do
  if row.ends <= NOW then drop(id) end
end
for at = 1, #REMOVED, ID_LENGTH do
  local id = string.sub(REMOVED, at, at + ID_LENGTH - 1)
  if rows[id] then drop(id) end
end
local is_full = false
if SESSION ~= '' and not odd[SESSION] then
  local row = read(VALUE)
  if rows[SESSION] then
    put(SESSION, joined(rows[SESSION], row))
  elseif make_room() then
    put(SESSION, row)
  else
    is_full = true
  end
end

for _, id in ipairs(dropped) do redis.call('HDEL', KEY, id) end
local held, longest = {}, NOW
for id, row in pairs(rows) do
  local value = write(row)
  if is_changed[id] then redis.call('HSET', KEY, id, value) end
  longest = math.max(longest, row.ends)
  table.insert(held, id)
  table.insert(held, value)
end
if #dropped > 0 or next(is_changed) then
  local left = string.format('%.0f', longest - NOW)
  if has_odd then
    -- Not earlier than whoever understands them has said.
    redis.call('PEXPIRE', KEY, left, 'GT')
  else
    redis.call('PEXPIRE', KEY, left)
  end
end
for id, value in pairs(odd) do
  table.insert(held, id)
  table.insert(held, value)
end
return { is_full and 1 or 0, held }
