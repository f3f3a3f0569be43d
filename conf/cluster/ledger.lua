-- The ledger of a cluster: how the limits of partners are divided among nodes.
--
-- A partner may have N requests in any span W. Node k may admit at most c_k of
-- them in any W, its cap, which it keeps by itself. This script notes the caps,
-- R_k, and moves them between nodes. Two rules make the whole exact:
--   R_k >= c_k   a cap rises here first and then at the node, and falls at the
--                node first and then here: a lost message leaves R_k too high
--   sum R <= N   only what is left of N is granted, and one call is atomic
-- "Too high" is always safe, "too early" never is: whatever ends, ends late.
--
-- A node has a place, k = 1 ... `nodes`. There its standing share of each
-- partner's limit is s = floor(N * share / 1000 / nodes), without any entry; in
-- a place above `nodes` it is 0. A node holds its place by a session, which
-- ends unless it is renewed. A life is as long as a node's memory: a node whose
-- session has ended (LOST) joins again under a new session, in the same life.
--
-- Calls: ARGV[1] is a verb; KEYS[1] prefix..'c', KEYS[2] prefix..'n', where the
-- prefix is "wassiit:{ZONE}:" or "wassiit:{ZONE:SHARD}:". Times are in ms.
-- COMMON is one argument: "k sid run_id epoch elapsed stamp lease"
--   run_id   the server's, as INFO tells it on this connection
--   epoch    the one that this node has restated for; in a restate the one that
--            it restates for; 0: none
--   stamp    `now` of an earlier answer to anything but a change; 0: none
--   elapsed  the caller's time since it sent what that answered
--   lease    how long the session lasts from now on
-- Answers: { word, now, epoch, ... }, the word is OK or
--   LOST     no such session (it ended, or the ledger was emptied): join again
--   RESTATE  the server is another, or lost something: tell all caps. The
--            session is not renewed by that, only by the restate that is done
--
-- join name sid run_id nodes share lease [life [seal [tags]]]
--   life: the sid of this life's first session; without it, or equal to sid,
--   the node has no memory yet. seal: says which key seals partners' lines, "-"
--   or nothing: none does. tags: what the node makes tags by. -> OK now epoch k
--   former has tags, of which these are what all make theirs by, or
--   CONFIG now epoch nodes share seal: live nodes have joined by these, or
--   there are lines yet that are sealed by another key
--   former: when the last life of this place ends or may have ended, 0: there
--   was none. All that it had stays locked until former + W of each partner
--   has: KEPT   the place is this life's still, and so are its caps: the node
--               goes on with max(min(c, s), used) of each partner. NONE is said
--               until a node with memory has told its caps in a new place
--        SHARE  its caps are what it remembers, as for KEPT; a node without
--               memory has s of each partner
--        NONE   nothing. A node goes on with what it has used in the last W,
--               one without memory with 0, until a call has told it more
--   A node with memory must then restate. Without memory it need not.
-- renew COMMON cursor -> OK now epoch last-log-id name...
--   names: live nodes whose cursor (the log's last entry that they have) is
--   older than the log's last
-- adjust COMMON "N W v cur want seq busy"... KEYS[3]...: prefix..'w:'..ID
--   cur: the cap that the node has now; want: what it would like; busy: for how
--   long it has nothing to lend. -> OK now epoch (cap pool full)...
--   cap: what is counted for the node; less than that, where all have more than
--   N together: what it is to lower its own to, and tell then
--   cap -1: seq is not above the last one; -2: v is below the ledger's, or the
--   same with other N or W. In both cases nothing is noted.
--   full: for how long no other node can have anything to lend, 0 if not known
-- restate COMMON done "N W v cap cap seq 0"... KEYS[3]... -> OK now epoch
--   every partner of whom this life has adjusted or restated once, also those
--   whose cap is s: the ledger may have lost that it rose to s
-- leave COMMON -> OK now epoch. Its caps are locked until W after that.
-- change id rev line maxlen [seal], KEYS[3] prefix..'p', KEYS[4] prefix..'log'
--   rev: the one that it started from; the ledger may know less, as it has lost
--   some. -> OK now epoch rev id-in-log, or STALE now epoch "rev line", or
--   CONFIG now epoch seal: other nodes could not read it
--
-- Besides, prefix..'ids' is the set of all partners that have or had an entry:
-- a node that has joined with NONE asks for each of them. KEYS[2] has a field
-- for each place, and what else is read by each call; KEYS[1] what changes of
-- partners are noted in.
--
-- Channels: prefix..'ch:K' ("need ID", "free ID") and prefix..'ch' ("log").
--
-- A node that learns of a lower rate lowers its cap to cap * N' / N, as soon as
-- its window lets it; of a higher one, it keeps what it has until it has asked.
--
-- Where the sum of what nodes use may still pass N, by s at most: a node that
-- starts after the ledger was emptied, before any other is back; one that is
-- cut off while its place goes to another name, as none else was left, or while
-- its place is forgotten for longer than lease + W; one that took a place
-- within what a failover lost, and died, or is above `nodes`; two nodes of one
-- name. And by one a node after a rate was lowered, until each has learned of it.
-- PROOF.md tells how far.

local DRIFT = 100          -- how far the clock may be ahead of what callers say
local GUARD = 200          -- what ends now ends so much later, as it may be early
local HELD = 8             -- so many times that it was held back are known
local BACK = 1000          -- a clock this far behind has been set back
local ASK_AGAIN = 100      -- before that, none is asked to lend once more
local WHOLE = 4            -- what is left is not halved below this
local TELL = 4             -- so many nodes hear at once of what came free
-- So long stays a key that says nothing, for the sake of its seqs: a late call
-- must not count as new. TCP gives up after 16 minutes.
local IDLE = 20 * 60 * 1000
local MAX_NUMBER = 2 ^ 53
local MAX_PLACE = 10000
local MAX_LIMIT = 2 ^ 32
local MAX_SPAN = 24 * 60 * 60 * 1000

-- What stands in `gone` of a place.
local TAKEN, LEFT = '0', '1'
local LENT = '2'           -- never taken, and its shares may be lent already
local UNSURE = '3'         -- not known to be taken: the ledger may have lost it

-- What an epoch began by.
local NEW = 0              -- an empty ledger
local EMPTIED = 1          -- one that a node remembers more of than is there
local MOVED = 2            -- another server, or the same one started again

local NO_ONE = '-'
local NOBODY = ','         -- a list of places is ",1,3,"

-- Parts of records: exp gone life former; cap seq life busy; cap until.
local PLACE = '^%S+ (%d+) (%d) %S+ (%S+) (%d+)'
local ENTRY = '^(%d+) (%d+) (%S+) (%d+)$'
local LOCK = '^(%d+) (%d+)$'

-- Each call makes its functions anew, which takes longer than what most of them
-- do; most of all, what they use of the locals around them. So all that each
-- adjust passes is one piece of text, from here to where it ends, and functions
-- that stand in it have what they need from arguments. What the other verbs
-- need, and few adjusts, comes after it, or where it is needed.

local find, floor, format, match = string.find, math.floor, string.format,
                                   string.match
local max, min, sub = math.max, math.min, string.sub
local verb = ARGV[1]

local function refuse(text)
    error({ err = 'ERR ledger ' .. tostring(ARGV[1]) .. ': ' .. text })
end

local function number(i, name, least)
    local text = ARGV[i] or 'nothing'
    local value = string.match(text, '^%d+$') and tonumber(text)
    if not value or value < least or value > MAX_NUMBER then
        refuse('argument ' .. i .. ', ' .. name .. ', is ' .. text
               .. ', not a whole number from ' .. least .. ' on')
    end
    return value
end

-- Words are parts of records, which are separated by spaces.
local function word(i, name)
    local text = ARGV[i] or ''
    if not string.match(text, '^%S+$') or text == NO_ONE then
        refuse('argument ' .. i .. ', ' .. name .. ', is "' .. text
               .. '", not a word')
    end
end


-- ---- arguments: all are looked at before anything is written

local prefix = match(KEYS[1] or '', '^(wassiit:{[^{}]+}:)c$')
if not prefix or KEYS[2] ~= prefix .. 'n' then
    refuse('the first keys are not wassiit:{ZONE}:c and wassiit:{ZONE}:n')
end

-- Where the partners' arguments begin, and what there is without any.
local first, least, most
if verb == 'adjust' then
    first = 3
elseif verb == 'restate' then
    first = 4
elseif verb == 'renew' then
    least = 3
elseif verb == 'leave' then
    least = 2
elseif verb == 'join' then
    least, most = 7, 10
elseif verb == 'change' then
    least, most = 5, 6
else
    refuse('no such verb')
end
least = least or first - 1 + #KEYS - 2
if #ARGV < least or #ARGV > (most or least) then
    refuse(#ARGV - 1 .. ' arguments')
end

-- What COMMON says; of each partner, "N W v" and N W v cur want seq busy.
local k, sid, run_id, knows, elapsed, stamp, lease
local place, told, seal

if verb ~= 'join' and verb ~= 'change' then
    k, sid, run_id, knows, elapsed, stamp, lease = match(ARGV[2],
        '^([1-9]%d*) (%S+) (%S+) (%d+) (%d+) (%d+) (%d+)$')
    place, lease = tonumber(k), tonumber(lease)
    if not k or place > MAX_PLACE or lease < 1 or lease > MAX_NUMBER then
        refuse('argument 2 is "' .. ARGV[2] .. '", not "k sid run_id epoch'
               .. ' elapsed stamp lease"')
    end
end

if first then
    local before = prefix .. 'w:'
    told = {}
    for i = 3, #KEYS do
        if sub(KEYS[i], 1, #before) ~= before or KEYS[i] == before then
            refuse('key ' .. i .. ' is not ' .. before .. 'ID')
        end
        local text = ARGV[i - 3 + first]
        local rate, N, W, v, cur, want, seq, busy = match(text,
            '^((%d+) (%d+) (%d+)) (%d+) (%d+) (%d+) (%d+)$')
        N, W, v, cur, want, seq, busy = tonumber(N), tonumber(W), tonumber(v),
            tonumber(cur), tonumber(want), tonumber(seq), tonumber(busy)
        if not N or N < 1 or N > MAX_LIMIT or W < 1 or W > MAX_SPAN
           or max(v, cur, want, seq, busy) > MAX_NUMBER
        then
            refuse('argument ' .. i - 3 + first .. ' is "' .. text
                   .. '", not "N W v cur want seq busy", numbers, N from 1 to '
                   .. MAX_LIMIT .. ' and W to ' .. MAX_SPAN)
        end
        told[i - 2] = { rate, N, W, v, cur, want, seq, busy }
    end
    if verb == 'restate' then
        number(3, 'done', 0)
    end
elseif verb == 'renew' then
    if not match(ARGV[3], '^%d+-%d+$') then
        refuse('the cursor is ' .. ARGV[3] .. ', not as 1-0')
    end
elseif verb == 'join' then
    word(2, 'name')
    word(3, 'sid')
    word(4, 'run_id')
    number(7, 'lease', 1)
    if number(5, 'nodes', 1) > MAX_PLACE or number(6, 'share', 0) > 1000 then
        refuse('nodes are 1 to ' .. MAX_PLACE .. ', share is 0 to 1000')
    end
    if ARGV[8] then
        word(8, 'life')
    end
    seal = ARGV[9] or NO_ONE
    if ARGV[10] then
        word(10, 'tags')
    end
elseif verb == 'change' then
    seal = ARGV[6] or NO_ONE
    number(3, 'rev', 0)
    number(5, 'maxlen', 1)
    if KEYS[3] ~= prefix .. 'p' or KEYS[4] ~= prefix .. 'log' then
        refuse('the other keys are not ' .. prefix .. 'p and ' .. prefix
               .. 'log')
    end
end
if seal and not match(seal, '^%S+$') then
    refuse('argument ' .. (verb == 'join' and 9 or 6) .. ', seal, is "' .. seal
           .. '", not a word')
end


-- ---- the ledger itself, beside the places: `state` is "run epoch cause hold
-- nodes share"; `clock` is "off last", and then "when by" of each time that it
-- was held back. In the other hash, `log` is the log's last id.

local stored = redis.call('HMGET', KEYS[2], 'state', 'clock', k or 1)
local run, epoch, cause, hold, nodes, share = match(
    stored[1] or NO_ONE .. ' 0 0 0 0 0',
    '^(%S+) (%d+) (%d) (%d+) (%d+) (%d+)$')
local off, last, held = match(stored[2] or '0 0', '^(%-?%d+) (%d+)(.*)$')
epoch, cause, hold = tonumber(epoch), tonumber(cause), tonumber(hold)
nodes, share, off, last = tonumber(nodes), tonumber(share), tonumber(off),
                          tonumber(last)

local function write_state(run, epoch, cause, hold, nodes, share)
    redis.call('HSET', KEYS[2], 'state',
               string.format('%s %d %d %d %d %d', run, epoch, cause, hold,
                             nodes, share))
end

-- The time. A server's clock may step ahead, and after a failover it is another
-- one: where it jumps, it goes no further than the caller's own clock bears
-- out, or by DRIFT without a stamp. A call that was long on its way may so make
-- the ledger's clock late, which is safe. It never goes back. A change has no
-- stamp, so it leaves the clock alone: its `now` may be late.
local now = last
if verb ~= 'change' then
    local time = redis.call('TIME')
    local raw = time[1] * 1000 + floor(time[2] / 1000)

    if last - (raw - off) > BACK then
        off = raw - last
    end
    now = max(raw - off, last)
    if now > last + DRIFT and (last > 0 or tonumber(stamp or 0) > 0) then
        stamp, elapsed = tonumber(stamp or 0), tonumber(elapsed or 0)
        -- What it was held back by since the stamp must not be made up for:
        -- what was noted meanwhile would end early.
        local n, since, by = 0, 0, 0
        for t, ms in string.gmatch(held, '(%d+) (%d+)') do
            n, since = n + 1, n == 0 and tonumber(t) or since
            by = by + (tonumber(t) > stamp and ms or 0)
        end
        local top = last + DRIFT
        if stamp > 0 and not (n == HELD and stamp < since) then
            top = max(top, stamp + elapsed + DRIFT - by)
        end
        if now > top then
            off = off + now - top
            held = n < HELD and held or match(held, '^ %d+ %d+(.*)$')
            held = format('%s %d %d', held, top, now - top)
            now = top
        end
    end

    local clock = format('%d %d%s', off, now, held)
    if clock ~= stored[2] then
        redis.call('HSET', KEYS[2], 'clock', clock)
    end
end

-- From now on nothing is granted, until each place has told its caps, or all
-- sessions of before have ended and W has passed. Epochs are times, so that two
-- servers that have gone apart hardly count the same one.
local function begin_epoch(epoch, cause, hold, now, lease, why)
    -- What was lost when it was emptied is no better known to another server.
    if cause ~= EMPTIED or now >= hold + MAX_SPAN then
        cause = why
    end
    return math.max(epoch + 1, now), cause, now + lease
end


-- ---- places: "sid exp gone name life former epoch told cursor owns".
-- exp: end of the session. former: that of the life before, 0: there was none.
-- epoch: in which it may adjust. told: for which its caps are known here. owns:
-- it has had its standing shares from the start.

local function mark_untaken(k, gone)
    local text = '- 0 ' .. gone .. ' - - 0 0 0 0-0 0'
    redis.call('HSET', KEYS[2], k, text)
    return text
end

-- A ledger that may have lost something can't say that a place was never taken.
local function doubt_places(nodes)
    for k = 1, nodes do
        if not redis.call('HGET', KEYS[2], k) then
            mark_untaken(k, UNSURE)
        end
    end
end

-- Of a node above `nodes` nothing can be lacking if its session was over by the
-- last call that is known here, nor if all was told since the loss before.
local function trust_places(nodes, before, hold, last, epoch)
    local records = redis.call('HGETALL', KEYS[2])
    for i = 1, #records, 2 do
        local at = tonumber(records[i])
        if at and at > nodes then
            local head, exp, told, rest = string.match(records[i + 1],
                '^(%S+ (%d+) %d %S+ %S+ %d+ %d+ )(%d+)( .*)$')
            if tonumber(exp) <= last
               and (hold == 0 or tonumber(told) == before
                    or last >= hold + MAX_SPAN)
            then
                redis.call('HSET', KEYS[2], records[i],
                           head .. string.format('%d', epoch) .. rest)
            end
        end
    end
end

-- What every call but join and change begins with: the place, or a refusal.
local life, former, refusal

if k and epoch == 0 then
    refusal = 'LOST'
elseif k then
    if run ~= run_id then
        local before, held_until = epoch, hold
        run = run_id
        epoch, cause, hold = begin_epoch(epoch, cause, hold, now, lease, MOVED)
        trust_places(nodes, before, held_until, last, epoch)
        write_state(run, epoch, cause, hold, nodes, share)
        doubt_places(nodes)
    end
    local holder, exp, gone, adjusts
    holder, exp, gone, life, former, adjusts = match(stored[3] or '',
        '^(%S+) (%d+) (%d) %S+ (%S+) (%d+) (%d+)')
    if holder ~= sid or gone ~= TAKEN or tonumber(exp) <= now then
        refusal = 'LOST'
    elseif tonumber(knows) ~= epoch
           or verb ~= 'restate' and adjusts ~= knows
    then
        refusal = 'RESTATE'
    end
    former = tonumber(former)
end

if refusal then
    return { refusal, now, epoch }
end


-- ---- adjust and restate, one partner after another: `r` is "N W v sum set
-- nodes idle need since asked"; a field k is "cap seq life busy"; a field k! is
-- "cap until", caps of former lives that may still be in windows. need: places
-- that are short. asked: those that have been asked to lend since then, and
-- have not answered yet. sum: of all entries and locks. set: how many places up
-- to `nodes` have one.

local function without(list, k)
    local from, to = string.find(list, ',' .. k .. ',', 1, true)
    return from and string.sub(list, 1, from) .. string.sub(list, to + 1)
           or list
end

-- Places that are not there were never taken.
local function add_untaken(records, nodes)
    local is_there = {}
    for i = 1, #records, 2 do
        is_there[records[i]] = true
    end
    for j = 1, nodes do
        j = string.format('%d', j)
        if not is_there[j] then
            records[#records + 1] = j
            records[#records + 1] = '- 0 ' .. UNSURE .. ' - - 0 0 0 0-0 0'
        end
    end
end

-- All others are at their standing share, and nothing else is to be known?
local function says_nothing(key, k, records, nodes, now, W, s)
    local texts = {}
    local flat = redis.call('HGETALL', key)
    for i = 1, #flat, 2 do
        if string.sub(flat[i], -1) == '!' then
            return false
        end
        texts[flat[i]] = flat[i + 1]
    end
    for i = 1, #records, 2 do
        local j = records[i]
        local at = j ~= k and tonumber(j)
        if at then
            local exp, gone, _, former = string.match(records[i + 1], PLACE)
            local is_taken = gone == TAKEN
            -- A later call of a former life's heir must not lock its share
            -- anew.
            if is_taken and former ~= '0' and former + W > now then
                return false
            end
            -- Nobody uses what is less in a place that nobody has.
            local own = at <= nodes and s or 0
            local cap = tonumber(string.match(texts[j] or '', '^%d+'))
            if cap and (cap > own
                        or cap < own and is_taken and tonumber(exp) > now)
            then
                return false
            end
        end
    end
    return true
end

local reply = { 'OK', now, epoch }
local records                    -- as HGETALL answers

for i = 1, first and #told or 0 do
    local key = KEYS[i + 2]
    local rate, N, W, v, cur, want, seq, busy = unpack(told[i])
    local is_behind
    if verb == 'restate' then
        want, busy = cur, 0
    end

    local has = redis.call('HMGET', key, 'r', k, k .. '!')
    local had_rate, sum, set, of, was_idle, need, since, asked = match(
        has[1] or '',
        '^(%d+ %d+ %d+) (%d+) (%d+) (%d+) (%d) (%S+) (%d+) (%S+)$')
    sum, set, since = tonumber(sum) or 0, tonumber(set) or 0,
                      tonumber(since) or 0
    need, asked = need or NOBODY, asked or NOBODY

    -- By another rate than the caller's; of the same v, one is wrong.
    if had_rate and had_rate ~= rate then
        local n, w, rev = match(had_rate, '^(%d+) (%d+) (%d+)$')
        n, w, rev = tonumber(n), tonumber(w), tonumber(rev)
        if rev >= v then
            is_behind = rev > v or n ~= N or w ~= W
            N, W, v, rate = n, w, rev, had_rate
        end
    end
    local s = floor(N * share / (1000 * nodes))
    local own = place <= nodes and s or 0
    local is_held = hold > 0 and now < hold + W

    -- Counts anew where `nodes` became another since.
    if had_rate and tonumber(of) ~= nodes then
        sum, set = 0, 0
        local flat = redis.call('HGETALL', key)
        for f = 1, #flat, 2 do
            local j, lock = match(flat[f], '^(%d+)(!?)$')
            if j then
                sum = sum + match(flat[f + 1], '^%d+')
                if lock == '' and tonumber(j) <= nodes then
                    set = set + 1
                end
            end
        end
    end

    local cap, stated, lived = match(has[2] or '', '^(%d+) (%d+) (%S+)')
    cap = tonumber(cap)

    local left, full, idle = 0, 0, '0'
    if lived == life and seq <= tonumber(stated) then
        cap = -1
    elseif is_behind and verb == 'adjust' then
        cap = -2
    else
        -- What a former life had here stays in windows until W after its end.
        local locked, till
        if has[3] then
            locked, till = match(has[3], LOCK)
            locked, till = tonumber(locked), tonumber(till)
            if till <= now then
                sum, locked = sum - locked, nil
                redis.call('HDEL', key, k .. '!')
            end
        end

        -- The node says what its cap is: it is the one who knows. Seen for the
        -- first time in this life, what stands here is a former life's.
        local before = cap or own
        if lived ~= life and former > 0 and former + W > now and before > 0 then
            sum = sum + before
            locked, till = (locked or 0) + before, max(till or 0, former + W)
            redis.call('HSET', key, k .. '!', format('%d %d', locked, till))
        end
        if cap then
            sum = sum - cap
        elseif place <= nodes then
            set = set + 1
        end
        cap, sum = cur, sum + cur
        busy = busy > 0 and now + busy or 0

        if verb == 'adjust' then
            need = need ~= NOBODY and without(need, k) or need
            asked = asked ~= NOBODY and without(asked, k) or asked
        end

        -- Half of what is left at most, so that who asks next gets something,
        -- too.
        local short = is_held and 0 or want - cur
        local more = 0
        left = N - sum - s * (nodes - set)
        if short > 0 then
            more = min(short, max(floor(left / 2), min(left, WHOLE)))
        end

        local lend, dry          -- who may have some, and how long none has
        if more < short then
            records = records or redis.call('HGETALL', KEYS[2])
            if set < nodes then
                add_untaken(records, nodes)
            end
            local texts, entries = {}, lived and 1 or 0
            local flat = redis.call('HGETALL', key)
            for f = 1, #flat, 2 do
                texts[flat[f]] = flat[f + 1]
            end

            dry = W
            for n = 1, #records, 2 do
                local j = records[n]
                local at = j ~= k and tonumber(j)
                if at then
                    local exp, gone, life, former = match(records[n + 1], PLACE)
                    local own, text = at <= nodes and s or 0, texts[j]
                    local had, seq, lived, busy = own, 0, life, 0
                    if text then
                        had, seq, lived, busy = match(text, ENTRY)
                        had, busy = tonumber(had), tonumber(busy)
                        entries = entries + 1
                    end
                    exp = tonumber(exp)

                    -- What may still be in use of it from when on?
                    local keep, from = had, now
                    if gone == LENT or gone == UNSURE then
                        keep = 0
                    elseif lived ~= life then       -- it has not asked yet
                        keep, from = 0, former + W
                    elseif gone == LEFT then
                        keep, from = 0, exp + W
                    elseif exp <= now then          -- it may live, cut off
                        keep, from = min(had, own), exp + W
                    end

                    if keep < had and from > now then
                        dry = min(dry, from - now)
                    elseif keep < had then
                        -- Nobody can have it in use any more: taken back.
                        if text then
                            sum = sum - had
                        elseif at <= nodes then
                            set = set + 1
                        end
                        sum = sum + keep
                        redis.call('HSET', key, j, format('%d %s %s %d', keep,
                                                          seq, lived, busy))
                        if gone == UNSURE then
                            records[n + 1] = mark_untaken(j, LENT)
                        end
                    elseif keep > 0 and gone == TAKEN and exp > now then
                        if busy > now then
                            dry = min(dry, busy - now)
                        else
                            dry, lend = 0, lend or {}
                            lend[#lend + 1] = j
                        end
                    end
                end
            end

            -- Other fields than `r` and entries are locks, or were.
            for f = 1, #flat > 2 * entries + 2 and #flat or 0, 2 do
                local field = flat[f]
                if sub(field, -1) == '!' and field ~= k .. '!' then
                    local freed, till = match(flat[f + 1], LOCK)
                    till = tonumber(till)
                    if till <= now then
                        sum = sum - freed
                        redis.call('HDEL', key, field)
                    else
                        dry = min(dry, till - now)
                    end
                end
            end

            left = N - sum - s * (nodes - set)
            more = min(short, max(floor(left / 2), min(left, WHOLE)))
        end

        if more > 0 then
            cap, sum, busy = cap + more, sum + more, 0
        end

        if cap < want then
            need = need .. k .. ','
            if is_held then
                full = hold + W - now
            else
                -- Those who may have something to lend are asked.
                full = dry
                if since + ASK_AGAIN <= now or asked == NOBODY then
                    since, asked = now, NOBODY
                end
                for n = 1, lend and #lend or 0 do
                    local j = lend[n]
                    if not find(asked, ',' .. j .. ',', 1, true) then
                        redis.call('PUBLISH', prefix .. 'ch:' .. j,
                                   'need ' .. sub(key, #prefix + 3))
                        asked = asked .. j .. ','
                    end
                end
            end
        elseif verb == 'adjust' and want <= cur then
            if need ~= NOBODY then
                -- Those who were short are told.
                for n = 1, TELL do
                    local j = match(need, '^,(%d+),')
                    if j then
                        redis.call('PUBLISH', prefix .. 'ch:' .. j,
                                   'free ' .. sub(key, #prefix + 3))
                        need = sub(need, #j + 2)
                    end
                end
            elseif cap == own then
                if was_idle == '1' then
                    idle = '1'
                elseif not locked and not (former > 0 and former + W > now) then
                    records = records or redis.call('HGETALL', KEYS[2])
                    idle = says_nothing(key, k, records, nodes, now, W, s)
                           and '1' or '0'
                end
            end
        end

        redis.call('HSET', key, 'r',
                   format('%s %d %d %d %s %s %d %s', rate, sum, set,
                          nodes, idle, need, since, asked),
                   k, format('%d %d %s %d', cap, seq, life, busy))
        if not had_rate then
            redis.call('SADD', prefix .. 'ids', sub(key, #prefix + 3))
        end
        if idle == '1' then
            redis.call('PEXPIRE', key, IDLE)
        elseif was_idle == '1' then
            redis.call('PERSIST', key)
        end

        -- What was taken before the limit was lowered: each node gives its part
        -- back.
        local all = sum + s * (nodes - set)
        left = max(N - all, 0)
        if all > N and not is_held then
            cap = floor(cap * N / all)
        elseif left > 0 then
            full = 0
        end
    end

    if cap < 0 then
        left, full = 0, 0
    end
    reply[3 * i + 1], reply[3 * i + 2], reply[3 * i + 3] = cap, left, full
end

if verb == 'adjust' then
    return reply
end


-- ---- the other verbs, and what they do with places

local places, is_changed

local function parse_place(text)
    local p = {}
    p.sid, p.exp, p.gone, p.name, p.life, p.former, p.epoch, p.told, p.cursor,
        p.owns = match(text, '^(%S+) (%d+) (%d) (%S+) (%S+) (%d+) (%d+) (%d+)'
                             .. ' (%S+) (%d)$')
    for _, field in ipairs({ 'exp', 'former', 'epoch', 'told' }) do
        p[field] = tonumber(p[field])
    end
    return p
end

local function all_places()
    if not places then
        local flat = redis.call('HGETALL', KEYS[2])
        places = { last = nodes }
        for i = 1, #flat, 2 do
            local k = tonumber(flat[i])
            if k then
                places[k] = parse_place(flat[i + 1])
                places.last = max(places.last, k)
            end
        end
    end
    return places
end

local function write_place(k, p)
    redis.call('HSET', KEYS[2], k,
               format('%s %d %s %s %s %d %d %d %s %s', p.sid, p.exp, p.gone,
                      p.name, p.life, p.former, p.epoch, p.told, p.cursor,
                      p.owns))
    all_places()[k] = p
end

local function is_taken(p)
    return p and p.gone == TAKEN
end

local function is_live(p)
    return is_taken(p) and p.exp > now
end

local function is_told(p, k)
    if p and p.told == epoch then
        return true
    elseif k > nodes then
        return not is_taken(p)
    end
    -- Whoever took a place and was then lost here is back, or its session over.
    return not is_taken(p) and now >= hold and cause == MOVED
end

local function end_hold_if_told()
    -- An emptied ledger lacks the locks of former lives, too.
    if hold == 0 or cause == EMPTIED then
        return
    end
    for k = 1, all_places().last do
        if not is_told(places[k], k) then
            return
        end
    end
    hold, is_changed = 0, true
end

local function answer(text, ...)
    return { text, now, epoch, ... }
end

local function begin(their_run, lease, why)
    local before, held_until = epoch, hold
    run, is_changed = their_run, true
    epoch, cause, hold = begin_epoch(epoch, cause, hold, now, lease, why)
    trust_places(nodes, before, held_until, last, epoch)
    places = nil
end

local function doubt()
    doubt_places(nodes)
    places = nil
end

local function write_if_changed()
    if is_changed then
        write_state(run, epoch, cause, hold, nodes, share)
    end
end


-- ---- the verbs

local verbs = {}

-- The place for a node: its own; one of its name, unless another life of that
-- name holds it; one never taken; who left first; whose session ended first; or
-- one more.
local function find_place(name, life, has_memory)
    local named, free, left, ended
    all_places()

    for k = 1, places.last do
        local p = places[k]
        if is_taken(p) and p.life == life then
            return k
        elseif p and p.name == name and not (has_memory and is_live(p)) then
            named = named or k
        elseif k > nodes then
            -- only its own
        elseif not p or p.gone == LENT or p.gone == UNSURE then
            free = free or k
        elseif p.gone == LEFT then
            left = left and places[left].exp <= p.exp and left or k
        elseif not is_live(p) then
            ended = ended and places[ended].exp <= p.exp and ended or k
        end
    end
    if named or free or left or ended then
        return named or free or left or ended
    end
    for k = nodes + 1, MAX_PLACE do
        if not is_live(places[k]) then
            return k
        end
    end
    refuse('there are too many nodes')
end

local function others_live(k)
    for j = 1, all_places().last do
        if j ~= k and is_live(places[j]) then
            return true
        end
    end
    return false
end

-- A life that is not known here: its place was lost, or given away.
local function doubt_ledger()
    doubt()
    if cause == NEW then
        cause, is_changed = EMPTIED, true
    end
end

local function has_at_first(p, k, has_memory)
    if k > nodes then
        return 'NONE'
    elseif not p or p.gone == UNSURE and has_memory then
        return 'SHARE'
    end
    return 'NONE'
end

-- Which key seals partners' lines: as the first one has said.
local function read_seal()
    return redis.call('HGET', KEYS[1], 'seal')
end

local function write_seal()
    redis.call('HSET', KEYS[1], 'seal', seal)
end

-- What all make tags by is what the first one does.
local function share_tags(theirs)
    local tags = redis.call('HGET', KEYS[1], 'tags')
    if not tags and theirs then
        tags = theirs
        redis.call('HSET', KEYS[1], 'tags', tags)
    end
    return tags or NO_ONE
end

local function has_lines()
    local page = redis.call('HSCAN', prefix .. 'p', 0, 'COUNT', 1)
    return page[1] ~= '0' or #page[2] > 0
           or #redis.call('XRANGE', prefix .. 'log', '-', '+', 'COUNT', 1) > 0
end

-- Sets nodes, share and seal; false if others are live by other ones, or what
-- is sealed by another key is there yet.
local function configure(their_nodes, their_share, k, their_run, lease)
    local same = their_nodes == nodes and their_share == share
    local sealed = read_seal()
    local other = sealed and sealed ~= seal
    if (not same or other) and epoch > 0 and others_live(k)
       or other and has_lines() then
        return false
    end
    -- Lines of two keys never meet: with the last line of the one goes the log
    -- that the nodes have read.
    if other then
        redis.call('HDEL', KEYS[1], 'log')
    end
    if sealed ~= seal then
        write_seal()
    end
    if same then
        return true
    end
    -- What was used by the other shares is in windows yet: as after a loss.
    if epoch > 0 then
        nodes = max(their_nodes, nodes)
        doubt()
        begin(their_run, lease, MOVED)
    end
    nodes, share, is_changed = their_nodes, their_share, true
    places = nil
    return true
end

function verbs.join()
    local name, sid, their_run = ARGV[2], ARGV[3], ARGV[4]
    local lease, life = tonumber(ARGV[7]), ARGV[8] or sid
    local has_memory = life ~= sid

    local k = find_place(name, life, has_memory)
    if not configure(tonumber(ARGV[5]), tonumber(ARGV[6]), k, their_run, lease)
    then
        return answer('CONFIG', nodes, share, read_seal() or seal)
    end
    if epoch == 0 then
        begin(their_run, lease, NEW)
    elseif run ~= their_run then
        begin(their_run, lease, MOVED)
        doubt()
    end
    k = find_place(name, life, has_memory)

    local p, has = all_places()[k], 'KEPT'
    if not is_taken(p) or p.life ~= life then
        if has_memory then
            doubt_ledger()
            p = all_places()[k]
        end
        has = has_at_first(p, k, has_memory)
        local former = p and p.exp or 0
        if is_taken(p) then
            -- It may have lived on, cut off.
            former = max(former, now + GUARD)
        end
        p = { gone = TAKEN, life = life, former = former, told = 0,
              cursor = '0-0', owns = has == 'SHARE' and '1' or '0' }
        if former == 0 then
            p.told = epoch      -- no caps that a lost life had here
        end
    elseif not has_memory or p.epoch == 0 and p.owns == '0' then
        has = p.owns == '1' and 'SHARE' or 'NONE'   -- asked twice
    end
    p.sid, p.exp, p.name = sid, now + lease, name
    p.epoch = has_memory and 0 or epoch
    p.told = has_memory and 0 or p.told
    write_place(k, p)
    end_hold_if_told()
    write_if_changed()
    return answer('OK', k, has == 'KEPT' and 0 or p.former, has,
                  share_tags(ARGV[10]))
end

-- a-b of a stream, in order.
local function is_older(a, b)
    local a1, a2 = match(a, '^(%d+)-(%d+)$')
    local b1, b2 = match(b, '^(%d+)-(%d+)$')
    a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
    return a1 < b1 or a1 == b1 and a2 < b2
end

function verbs.renew()
    local p = all_places()[place]
    p.exp, p.cursor = now + lease, ARGV[3]
    write_place(place, p)
    end_hold_if_told()
    write_if_changed()

    local log = redis.call('HGET', KEYS[1], 'log') or '0-0'
    local reply = answer('OK', log)
    for k = 1, places.last do
        if is_live(places[k]) and is_older(places[k].cursor, log) then
            reply[#reply + 1] = places[k].name
        end
    end
    return reply
end

function verbs.restate()
    if tonumber(ARGV[3]) > 0 then
        local p = all_places()[place]
        p.exp, p.epoch, p.told = now + lease, epoch, epoch
        write_place(place, p)
        end_hold_if_told()
        write_if_changed()
    end
    return answer('OK')
end

function verbs.leave()
    local p = all_places()[place]
    p.gone, p.exp = LEFT, now + GUARD
    write_place(place, p)
    return answer('OK')
end

-- Orders the changes of partners.
function verbs.change()
    local id, rev, line = ARGV[2], tonumber(ARGV[3]), ARGV[4]
    local sealed = read_seal()
    if not sealed then
        write_seal()
    elseif sealed ~= seal then
        return answer('CONFIG', sealed)
    end
    local stored = redis.call('HGET', KEYS[3], id) or ''
    if tonumber(match(stored, '^%d+') or 0) > rev then
        return answer('STALE', stored)
    end
    rev = rev + 1
    local text = format('%d', rev)
    local at = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[5], '*', 'id',
                          id, 'rev', text, 'line', line)
    redis.call('HSET', KEYS[3], id, text .. ' ' .. line)
    redis.call('HSET', KEYS[1], 'log', at)
    redis.call('PUBLISH', prefix .. 'ch', 'log')
    return answer('OK', rev, at)
end

return verbs[verb]()
