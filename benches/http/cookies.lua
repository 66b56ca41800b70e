-- Sends many Cookie headers: wrk -s cookies.lua URL -- HEADERS ORDER
-- HEADERS has one a line, ORDER numbers of its lines in the order in which they are sent, over and over.

local requests = {}
local order = {}
local at = 0

function init(args)
  for header in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Cookie"] = header, ["Host"] = wrk.headers["Host"] })
  end
  for number in io.lines(args[2]) do
    order[#order + 1] = tonumber(number)
  end
end

function request()
  at = at % #order + 1
  return requests[order[at]]
end
