-- The rows of one subject, in one hash: the session's id, and what is known of it. A call is one step, which does what
-- `IndexUpdate::apply` says, in its order.
--
-- 1. Time is the caller's. Times are eight bytes, the largest first, and are compared as such: Lua counts in floating
--    point, which has no room for the largest.
-- 2. A value that is not understood is left as it is, also where it is in the way, and is not counted.
-- 3. The hash is kept for as long as its longest row, from the caller's now on and by the server's count, and a little
--    longer: another node's clock may be behind.
--
-- Arguments: now; the ids that are removed, one after the other; how many rows there may be, and what happens where there
-- are as many; the id and the value of the row that is put, empty where there is none; the ids whose place it takes.
-- Answers: whether that row was not put for want of room, and what the hash holds then.

local KEY = KEYS[1]
local NOW, REMOVED, LIMIT, WHEN_FULL = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local SESSION, VALUE, REPLACED = ARGV[5], ARGV[6], ARGV[7]
-- How far clocks may be apart, in milliseconds.
local SKEW = 60000
-- For how long the server keeps a hash at the most.
local LARGEST = 9007199254740991
-- The version of each value.
local VERSION = 1
local RESERVED, LISTED, EVICTING = 1, 2, 3
local ID_LENGTH = 16

-- Version, state, last_seen, until, and how long the facts and the label are. These follow.
local HEAD, HEAD_LENGTH = '>I1I1c8c8I2I2', 22

-- Nil if it is not understood.
local function read(value)
  if #value < HEAD_LENGTH then return nil end
  local version, state, seen, ends, facts, label, at = struct.unpack(HEAD, value)
  if version ~= VERSION or state < RESERVED or state > EVICTING then return nil end
  if #value ~= HEAD_LENGTH + facts + label then return nil end
  return {
    state = state, seen = seen, ends = ends,
    facts = string.sub(value, at, at + facts - 1), label = string.sub(value, at + facts),
  }
end

local function write(row)
  local head = struct.pack(
    HEAD, VERSION, row.state, row.seen, row.ends, #row.facts, #row.label)
  return head .. row.facts .. row.label
end

-- Of two texts of one length. Lua would compare them by the language that the server was started in.
local function is_less(one, other)
  for at = 1, #one do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a < b end
  end
  return false
end

local function later(one, other)
  return is_less(one, other) and other or one
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

local is_replaced = {}
for at = 1, #REPLACED, ID_LENGTH do
  is_replaced[string.sub(REPLACED, at, at + ID_LENGTH - 1)] = true
end

-- How many rows are counted, and the id of the one of them that was not seen for the longest time.
local function counted()
  local count, oldest = 0, nil
  for id, row in pairs(rows) do
    if row.state ~= EVICTING and not is_replaced[id] then
      count = count + 1
      local key = row.seen .. id
      if not oldest or is_less(key, rows[oldest].seen .. oldest) then oldest = id end
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
  new.seen = later(old.seen, new.seen)
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
  if not is_less(NOW, row.ends) then drop(id) end
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
  longest = later(longest, row.ends)
  table.insert(held, id)
  table.insert(held, value)
end
if #dropped > 0 or next(is_changed) then
  local left = struct.unpack('>I8', longest) - struct.unpack('>I8', NOW) + SKEW
  left = string.format('%.0f', math.min(left, LARGEST))
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
