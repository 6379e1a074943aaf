-- Posts to the address, for one of n products each time; with 0 products it gets the address.
-- Counts the responses.
local threads, products = {}, 1

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  products = tonumber(args[1])
  math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 65536)
  statuses = {}
  if products == 0 then
    wrk.headers["Accept-Encoding"] = "gzip"
    return
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end

function request()
  if products == 0 then
    return wrk.format()
  end
  local number = products > 1 and math.random(0, products - 1) or 0
  return wrk.format(nil, nil, nil, '{"product": "p-' .. number .. '", "quantity": 1}')
end

function response(status)
  statuses[status] = (statuses[status] or 0) + 1
end

function done(summary, latency)
  local counted = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      counted[status] = (counted[status] or 0) + count
    end
  end
  local found = {}
  for status, count in pairs(counted) do
    table.insert(found, string.format('"%d": %d', status, count))
  end
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  print(string.format(
    'RESULT {"seconds": %f, "p50": %f, "p99": %f, "lost": %d, "statuses": {%s}}',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, lost,
    table.concat(found, ", ")))
end
