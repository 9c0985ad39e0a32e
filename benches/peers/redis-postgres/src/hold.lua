-- Marks all seats of a hold, or none. KEYS: the idempotency key, then the seats. ARGV: hash of the
-- body, seconds that a seat stays marked, seconds that the key is remembered. Returns {0} marked,
-- {1, n...} the n-th seats are taken, {2} the same request again, {3} another one by that key.
local known = redis.call('GET', KEYS[1])
if known then
  if known == ARGV[1] then return {2} else return {3} end
end
local seats = {}
for i = 2, #KEYS do seats[i - 1] = KEYS[i] end
local answer = {1}
for i, holder in ipairs(redis.call('MGET', unpack(seats))) do
  if holder then answer[#answer + 1] = i end
end
if #answer > 1 then return answer end
for _, seat in ipairs(seats) do redis.call('SET', seat, '1', 'EX', ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return {0}
