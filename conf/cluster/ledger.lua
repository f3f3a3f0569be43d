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
-- COMMON is: k sid run_id epoch elapsed stamp lease
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
-- adjust COMMON (N W v cur want seq busy)... KEYS[3]...: prefix..'w:'..ID
--   cur: the cap that the node has now; want: what it would like; busy: for how
--   long it has nothing to lend. -> OK now epoch (cap pool full)...
--   cap: what is counted for the node; less than that, where all have more than
--   N together: what it is to lower its own to, and tell then
--   cap -1: seq is not above the last one; -2: v is below the ledger's, or the
--   same with other N or W. In both cases nothing is noted.
--   full: for how long no other node can have anything to lend, 0 if not known
-- restate COMMON done (N W v cap seq)... KEYS[3]... -> OK now epoch
--   every partner of whom this life has adjusted or restated once, also those
--   whose cap is s: the ledger may have lost that it rose to s
-- leave COMMON -> OK now epoch
-- change id rev line maxlen [seal], KEYS[3] prefix..'p', KEYS[4] prefix..'log'
--   rev: the one that it started from; the ledger may know less, as it has lost
--   some. -> OK now epoch rev id-in-log, or STALE now epoch "rev line", or
--   CONFIG now epoch seal: other nodes could not read it
--
-- Besides, prefix..'ids' is the set of all partners that have or had an entry:
-- a node that has joined with NONE asks for each of them.
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
-- within what a failover lost, and died; two nodes of one name. And by one a
-- node after a rate was lowered, until each has learned of it.

local DRIFT = 100          -- how far the clock may be ahead of what callers say
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
local TAKEN, LEFT = 0, 1
local LENT = 2             -- never taken, and its shares may be lent already
local UNSURE = 3           -- not known to be taken: the ledger may have lost it

-- What an epoch began by.
local NEW = 0              -- an empty ledger
local EMPTIED = 1          -- one that a node remembers more of than is there
local MOVED = 2            -- another server, or the same one started again

local NO_ONE = '-'

local verb = ARGV[1]
local prefix, ledger, places
local now


-- ---- arguments: all are looked at before anything is written

local function refuse(text)
    error({ err = 'ERR ledger ' .. tostring(verb) .. ': ' .. text })
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
    return text
end

-- No conversion of a number of ours may come out as 1e+15.
local function int(value)
    return string.format('%.0f', value)
end

local function to_list(text)
    local list = {}
    for k in string.gmatch(text or '', '%d+') do
        list[#list + 1] = tonumber(k)
    end
    return list
end

local function check_keys(...)
    prefix = string.match(KEYS[1] or '', '^(wassiit:{[^{}]+}:)c$')
    if not prefix or KEYS[2] ~= prefix .. 'n' then
        refuse('the first keys are not wassiit:{ZONE}:c and wassiit:{ZONE}:n')
    end
    local names = { ... }
    for i = 1, #names do
        if KEYS[i + 2] ~= prefix .. names[i] then
            refuse('key ' .. i + 2 .. ' is not ' .. prefix .. names[i])
        end
    end
    return #names + 2
end

local function expect_arguments(least, most)
    if #ARGV < least or #ARGV > most then
        refuse(#ARGV - 1 .. ' arguments')
    end
end

local function common()
    local call = {
        k = number(2, 'k', 1), sid = word(3, 'sid'), run = word(4, 'run_id'),
        epoch = number(5, 'epoch', 0), elapsed = number(6, 'elapsed', 0),
        stamp = number(7, 'stamp', 0), lease = number(8, 'lease', 1)
    }
    if call.k > MAX_PLACE then
        refuse('there is no place ' .. int(call.k))
    end
    return call
end

-- The partners of a call: `width` arguments each, the first at `first`.
local function partners_of(first, width, fields)
    local wanted = first - 1 + width * (#KEYS - 2)
    expect_arguments(wanted, wanted)

    local list = {}
    for i = 3, #KEYS do
        local id = string.match(KEYS[i], '^' .. 'wassiit:{[^{}]+}:w:(.+)$')
        if not id or KEYS[i] ~= prefix .. 'w:' .. id then
            refuse('key ' .. i .. ' is not ' .. prefix .. 'w:ID')
        end
        local told = { key = KEYS[i], id = id }
        for f = 1, width do
            local name = fields[f]
            told[name] = number(first + width * (i - 3) + f - 1, name,
                                (name == 'N' or name == 'W') and 1 or 0)
        end
        if told.N > MAX_LIMIT or told.W > MAX_SPAN then
            refuse('N is ' .. int(told.N) .. ' and W is ' .. int(told.W)
                   .. ', over ' .. int(MAX_LIMIT) .. ' or ' .. int(MAX_SPAN))
        end
        list[#list + 1] = told
    end
    return list
end


-- ---- the ledger itself: clock, server, epoch

local function read_ledger()
    local f = redis.call('HMGET', KEYS[1], 'run', 'epoch', 'cause', 'hold',
                         'off', 'last', 'nodes', 'share', 'log', 'held')
    ledger = {
        run = f[1], epoch = tonumber(f[2] or 0), cause = tonumber(f[3] or 0),
        hold = tonumber(f[4] or 0), off = tonumber(f[5] or 0),
        last = tonumber(f[6] or 0), nodes = tonumber(f[7] or 0),
        share = tonumber(f[8] or 0), log = f[9] or '0-0',
        held = to_list(f[10])
    }
end

local function write_ledger()
    if ledger.changed then
        redis.call('HSET', KEYS[1], 'run', ledger.run, 'epoch',
                   int(ledger.epoch), 'cause', int(ledger.cause), 'hold',
                   int(ledger.hold), 'nodes', int(ledger.nodes), 'share',
                   int(ledger.share))
    end
    redis.call('HSET', KEYS[1], 'off', int(ledger.off), 'last',
               int(ledger.last))
end

-- The latest time that it can be by the caller's own clock. What the ledger's
-- was held back by since the stamp must not be made up for: what was noted
-- meanwhile would end early.
local function latest(elapsed, stamp)
    local held = ledger.held
    if stamp == 0 or #held == 2 * HELD and stamp < held[1] then
        return 0
    end
    local top = stamp + elapsed + DRIFT
    for i = 1, #held, 2 do
        if held[i] > stamp then
            top = top - held[i + 1]
        end
    end
    return top
end

local function hold_back(t, top)
    local held = ledger.held
    ledger.off = ledger.off + t - top
    held[#held + 1], held[#held + 2] = top, t - top
    while #held > 2 * HELD do
        table.remove(held, 1)
    end
    local words = {}
    for i = 1, #held do
        words[i] = int(held[i])
    end
    redis.call('HSET', KEYS[1], 'held', table.concat(words, ' '))
end

-- The time. A server's clock may step ahead, and after a failover it is another
-- one: where it jumps, it goes no further than the caller's own clock bears
-- out, or by DRIFT without a stamp. A call that was long on its way may so make
-- the ledger's clock late, which is safe. It never goes back.
local function clock(elapsed, stamp)
    local time = redis.call('TIME')
    local raw = time[1] * 1000 + math.floor(time[2] / 1000)
    local last = ledger.last

    if last - (raw - ledger.off) > BACK then
        ledger.off = raw - last
    end
    now = math.max(raw - ledger.off, last)
    if now > last + DRIFT and (last > 0 or stamp > 0) then
        local top = math.max(latest(elapsed, stamp), last + DRIFT)
        if now > top then
            hold_back(now, top)
            now = top
        end
    end
    ledger.last = now
end

local function answer(text, ...)
    return { text, now, ledger.epoch, ... }
end

local function is_held(W)
    return ledger.hold > 0 and now < ledger.hold + W
end


-- ---- places

local RECORD = '^(%S+) (%d+) (%d) (%S+) (%S+) (%d+) (%d+) (%d+) (%S+) (%d)$'

-- exp: end of the session. former: that of the life before, 0: there was none.
-- epoch: in which it may adjust. told: for which its caps are known here. owns:
-- it has had its standing shares from the start.
local function parse_place(text)
    local p = {}
    p.sid, p.exp, p.gone, p.name, p.life, p.former, p.epoch, p.told, p.cursor,
        p.owns = string.match(text, RECORD)
    for _, field in ipairs({ 'exp', 'gone', 'former', 'epoch', 'told' }) do
        p[field] = tonumber(p[field])
    end
    return p
end

local function read_place(k)
    if places then
        return places[k]
    end
    local text = redis.call('HGET', KEYS[2], int(k))
    return text and parse_place(text)
end

local function all_places()
    if not places then
        local flat = redis.call('HGETALL', KEYS[2])
        places = { last = ledger.nodes }
        for i = 1, #flat, 2 do
            local k = tonumber(flat[i])
            places[k] = parse_place(flat[i + 1])
            places.last = math.max(places.last, k)
        end
    end
    return places
end

local function write_place(k, p)
    redis.call('HSET', KEYS[2], int(k), table.concat({
        p.sid, int(p.exp), int(p.gone), p.name, p.life, int(p.former),
        int(p.epoch), int(p.told), p.cursor, p.owns }, ' '))
    if places then
        places[k] = p
    end
end

local function is_taken(p)
    return p and p.gone == TAKEN
end

local function is_live(p)
    return is_taken(p) and p.exp > now
end

local function mark_untaken(k, gone)
    write_place(k, { sid = NO_ONE, exp = 0, gone = gone, name = NO_ONE,
                     life = NO_ONE, former = 0, epoch = 0, told = 0,
                     cursor = '0-0', owns = '0' })
end

-- A ledger that may have lost something can't say that a place was never taken.
local function doubt_places()
    for k = 1, ledger.nodes do
        if not all_places()[k] then
            mark_untaken(k, UNSURE)
        end
    end
end

-- From now on nothing is granted, until each place has told its caps, or all
-- sessions of before have ended and W has passed. Epochs are times, so that two
-- servers that have gone apart hardly count the same one.
local function begin_epoch(run, lease, cause)
    -- What was lost when it was emptied is no better known to another server.
    if ledger.cause ~= EMPTIED or now >= ledger.hold + MAX_SPAN then
        ledger.cause = cause
    end
    ledger.epoch = math.max(ledger.epoch + 1, now)
    ledger.hold = now + lease
    ledger.run = run
    ledger.changed = true
end

local function is_told(p, k)
    if p and p.told == ledger.epoch then
        return true
    elseif k > ledger.nodes then
        return not is_live(p)
    end
    -- Whoever took a place and was then lost here is back, or its session over.
    return not is_taken(p) and now >= ledger.hold and ledger.cause == MOVED
end

local function end_hold_if_told()
    -- An emptied ledger lacks the locks of former lives, too.
    if ledger.hold == 0 or ledger.cause == EMPTIED then
        return
    end
    for k = 1, all_places().last do
        if not is_told(places[k], k) then
            return
        end
    end
    ledger.hold = 0
    ledger.changed = true
end

-- What every call but join and change begins with: the place, or a refusal.
local function enter(call)
    read_ledger()
    clock(call.elapsed, call.stamp)
    if ledger.epoch == 0 then
        return nil, 'LOST'
    end
    if ledger.run ~= call.run then
        begin_epoch(call.run, call.lease, MOVED)
        doubt_places()
    end
    local p = read_place(call.k)
    if not is_live(p) or p.sid ~= call.sid then
        return nil, 'LOST'
    end
    if call.epoch ~= ledger.epoch then
        return nil, 'RESTATE'
    end
    return p
end


-- ---- one partner: `r` is "v N W sum set nodes idle"; a field k is
-- "cap seq life busy"; a field k! is "cap until", caps of former lives that
-- may still be in windows; `need` are places that are short; `asked` is the
-- time and the places that have been asked to lend, and have not answered yet.
-- sum: of all entries and locks. set: how many places up to `nodes` have one.

local function standing(P, k)
    return k <= ledger.nodes and P.s or 0
end

local function parse_entry(text)
    local cap, seq, life, busy = string.match(text,
                                              '^(%d+) (%d+) (%S+) (%d+)$')
    return { cap = tonumber(cap), seq = tonumber(seq), life = life,
             busy = tonumber(busy) }
end

local function parse_lock(text)
    local cap, till = string.match(text, '^(%d+) (%d+)$')
    return { cap = tonumber(cap), till = tonumber(till) }
end

local function entry_text(e)
    return int(e.cap) .. ' ' .. int(e.seq) .. ' ' .. e.life .. ' '
           .. int(e.busy)
end

local function without(list, k)
    local rest = {}
    for _, other in ipairs(list) do
        if other ~= k then
            rest[#rest + 1] = other
        end
    end
    return rest
end

local function write_list(P, field, text, list)
    if #list > 0 then
        local words = {}
        for i = 1, #list do
            words[i] = int(list[i])
        end
        redis.call('HSET', P.key, field, table.concat(words, ' '))
    elseif text then
        redis.call('HDEL', P.key, field)
    end
end

-- Counts anew where `nodes` became another since.
local function recount(P)
    P.sum, P.set = 0, 0
    local flat = redis.call('HGETALL', P.key)
    for i = 1, #flat, 2 do
        local k = string.match(flat[i], '^(%d+)!?$')
        if k then
            P.sum = P.sum + tonumber(string.match(flat[i + 1], '^%d+'))
            if k == flat[i] and tonumber(k) <= ledger.nodes then
                P.set = P.set + 1
            end
        end
    end
end

local function read_partner(told, k)
    local field = int(k)
    local f = redis.call('HMGET', told.key, 'r', 'need', 'asked', field,
                         field .. '!')
    local P = { key = told.key, id = told.id, v = told.v, N = told.N,
                W = told.W, sum = 0, set = 0, idle = '0',
                need_text = f[2], need = to_list(f[2]),
                asked_text = f[3], asked = to_list(f[3]),
                entry = f[4] and parse_entry(f[4]),
                lock = f[5] and parse_lock(f[5]) }
    P.since = table.remove(P.asked, 1) or 0
    if f[1] then
        local v, N, W, sum, set, nodes, idle = string.match(f[1],
            '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d)$')
        P.sum, P.set, P.idle = tonumber(sum), tonumber(set), idle
        if tonumber(v) >= told.v then
            P.v, P.N, P.W = tonumber(v), tonumber(N), tonumber(W)
        end
        if tonumber(nodes) ~= ledger.nodes then
            recount(P)
        end
    else
        P.is_new = true
    end
    P.s = math.floor(P.N * ledger.share / (1000 * ledger.nodes))
    return P
end

local function write_partner(P, k, idle)
    redis.call('HSET', P.key, 'r', int(P.v) .. ' ' .. int(P.N) .. ' '
               .. int(P.W) .. ' ' .. int(P.sum) .. ' ' .. int(P.set) .. ' '
               .. int(ledger.nodes) .. ' ' .. idle, int(k),
               entry_text(P.entry))
    if P.is_new then
        redis.call('SADD', prefix .. 'ids', P.id)
    end
    if P.need_text or #P.need > 0 then
        write_list(P, 'need', P.need_text, P.need)
    end
    if P.asked_text or #P.asked > 0 then
        if #P.asked > 0 then
            table.insert(P.asked, 1, P.since)
        end
        write_list(P, 'asked', P.asked_text, P.asked)
    end
    if idle == '1' then
        redis.call('PEXPIRE', P.key, IDLE)
    elseif P.idle == '1' then
        redis.call('PERSIST', P.key)
    end
end

local function pool(P)
    return P.N - P.sum - P.s * (ledger.nodes - P.set)
end

-- What a former life had here stays in windows until W after its end.
local function lock(P, k, cap, till)
    local old = P.lock or { cap = 0, till = 0 }
    P.lock = { cap = old.cap + cap, till = math.max(old.till, till) }
    P.sum = P.sum + cap
    redis.call('HSET', P.key, int(k) .. '!', int(P.lock.cap) .. ' '
               .. int(P.lock.till))
end

local function unlock_if_over(P, k)
    if P.lock and P.lock.till <= now then
        P.sum = P.sum - P.lock.cap
        P.lock = nil
        redis.call('HDEL', P.key, int(k) .. '!')
    end
end

-- The node says what its cap is: it is the one who knows. Seen for the first
-- time in this life, what stands here is a former life's.
local function note_cap(P, k, p, cap, seq, busy)
    local e = P.entry
    unlock_if_over(P, k)
    if e then
        P.sum = P.sum - e.cap
    elseif k <= ledger.nodes then
        P.set = P.set + 1
    end
    if not e or e.life ~= p.life then
        local former = e and e.cap or standing(P, k)
        if p.former + P.W > now and p.former > 0 and former > 0 then
            lock(P, k, former, p.former + P.W)
        end
    end
    P.entry = { cap = cap, seq = seq, life = p.life,
                busy = busy > 0 and now + busy or 0 }
    P.sum = P.sum + cap
end

local function is_late(P, p, seq)
    return P.entry and P.entry.life == p.life and seq <= P.entry.seq
end

-- Entries and locks of all places, as they stand in the key.
local function read_others(P)
    if P.entries then
        return
    end
    P.entries, P.locks = {}, {}
    local flat = redis.call('HGETALL', P.key)
    for i = 1, #flat, 2 do
        local k, is_lock = string.match(flat[i], '^(%d+)(!?)$')
        if k and is_lock == '' then
            P.entries[tonumber(k)] = parse_entry(flat[i + 1])
        elseif k then
            P.locks[tonumber(k)] = parse_lock(flat[i + 1])
        end
    end
end

-- What may still be in use of a place's cap, and when that will be less.
local function in_use(P, j, p, e)
    local cap = e and e.cap or standing(P, j)
    local keep, at = cap, nil

    if not p or p.gone == LENT or p.gone == UNSURE then
        return 0
    elseif e and e.life ~= p.life then
        keep, at = 0, p.former + P.W        -- this life has not asked yet
    elseif p.gone == LEFT then
        keep, at = 0, p.exp + P.W
    elseif p.exp <= now then
        keep, at = math.min(cap, standing(P, j)), p.exp + P.W
    end                                     -- it may live, cut off, by its s
    if at and at <= now then
        return keep
    end
    return cap, keep < cap and at or nil
end

-- Takes back what nobody can have in use any more.
local function take_back(P, k)
    read_others(P)
    for j = 1, all_places().last do
        local p, e = places[j], P.entries[j]
        local cap = e and e.cap or standing(P, j)
        local keep = in_use(P, j, p, e)

        if j ~= k and keep < cap then
            if e then
                P.sum = P.sum - e.cap
            elseif j <= ledger.nodes then
                P.set = P.set + 1
            end
            e = e or { seq = 0, life = p and p.life or NO_ONE, busy = 0 }
            e.cap = keep
            P.entries[j] = e
            P.sum = P.sum + keep
            redis.call('HSET', P.key, int(j), entry_text(e))
            if not p or p.gone == UNSURE then
                mark_untaken(j, LENT)
            end
        end

        local old = P.locks[j]
        if j ~= k and old and old.till <= now then
            P.sum = P.sum - old.cap
            P.locks[j] = nil
            redis.call('HDEL', P.key, int(j) .. '!')
        end
    end
end

local function tell(k, what, P)
    redis.call('PUBLISH', prefix .. 'ch:' .. int(k), what .. ' ' .. P.id)
end

-- Asks those who may have something to lend. For how long does nobody?
local function ask_others(P, k)
    local waiting, full = {}, P.W
    read_others(P)
    if P.since + ASK_AGAIN <= now then
        P.since, P.asked = now, {}
    end
    for _, j in ipairs(P.asked) do
        waiting[j] = true
    end

    for j = 1, all_places().last do
        local p, e, old = places[j], P.entries[j], P.locks[j]
        local cap, at = in_use(P, j, p, e)

        if old and j ~= k then
            full = math.min(full, old.till - now)
        end
        if at and j ~= k then
            full = math.min(full, at - now)
        elseif j ~= k and cap > 0 and is_live(p) then
            if e and e.busy > now then
                full = math.min(full, e.busy - now)
            else
                full = 0
                if not waiting[j] then
                    tell(j, 'need', P)
                    P.asked[#P.asked + 1] = j
                end
            end
        end
    end
    return math.max(full, 0)
end

local function tell_short(P)
    local rest = {}
    for i, j in ipairs(P.need) do
        if i <= TELL then
            tell(j, 'free', P)
        else
            rest[#rest + 1] = j
        end
    end
    P.need = rest
end

-- All places are at their standing share, and nothing else is to be known?
local function says_nothing(P, k)
    read_others(P)
    for j = 1, all_places().last do
        local p, e = places[j], j ~= k and P.entries[j]
        if P.locks[j] then
            return false
        end
        -- A later call of a former life's heir must not lock its share anew.
        if is_taken(p) and p.former > 0 and p.former + P.W > now then
            return false
        end
        -- Nobody uses what is less in a place that nobody has.
        if e and (e.cap > standing(P, j)
                  or is_live(p) and e.cap < standing(P, j)) then
            return false
        end
    end
    return true
end


-- ---- the verbs

local verbs = {}

-- The place for a node: its own; one of its name, unless another life of that
-- name holds it; one never taken; who left first; whose session ended first; or
-- one more.
local function find_place(name, life, has_memory)
    local named, free, left, ended
    local all = all_places()

    for k = 1, all.last do
        local p = all[k]
        if is_taken(p) and p.life == life then
            return k
        elseif p and p.name == name and not (has_memory and is_live(p)) then
            named = named or k
        elseif k > ledger.nodes then
            -- only its own
        elseif not p or p.gone == LENT or p.gone == UNSURE then
            free = free or k
        elseif p.gone == LEFT then
            left = left and all[left].exp <= p.exp and left or k
        elseif not is_live(p) then
            ended = ended and all[ended].exp <= p.exp and ended or k
        end
    end
    if named or free or left or ended then
        return named or free or left or ended
    end
    for k = ledger.nodes + 1, MAX_PLACE do
        if not is_live(all[k]) then
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
    doubt_places()
    if ledger.cause == NEW then
        ledger.cause, ledger.changed = EMPTIED, true
    end
end

local function has_at_first(p, k, has_memory)
    if k > ledger.nodes then
        return 'NONE'
    elseif not p or p.gone == UNSURE and has_memory then
        return 'SHARE'
    end
    return 'NONE'
end

-- Which key seals partners' lines: as the first one has said.
local function read_seal(i)
    local seal = ARGV[i] or NO_ONE
    if not string.match(seal, '^%S+$') then
        refuse('argument ' .. i .. ', seal, is "' .. seal .. '", not a word')
    end
    ledger.seal = redis.call('HGET', KEYS[1], 'seal') or nil
    return seal
end

local function write_seal(seal)
    redis.call('HSET', KEYS[1], 'seal', seal)
    ledger.seal = seal
end

-- What all make tags by is what the first one does.
local function share_tags(i)
    local tags = redis.call('HGET', KEYS[1], 'tags')
    if not tags and ARGV[i] then
        tags = word(i, 'tags')
        redis.call('HSET', KEYS[1], 'tags', tags)
    end
    return tags or NO_ONE
end

local function has_lines()
    local page = redis.call('HSCAN', prefix .. 'p', 0, 'COUNT', 1)
    return page[1] ~= '0' or #page[2] > 0
           or #redis.call('XRANGE', prefix .. 'log', '-', '+', 'COUNT', 1) > 0
end

-- Lines of two keys never meet: with the last line of the one goes the log that
-- the nodes have read.
local function change_seal(seal)
    if ledger.seal and ledger.seal ~= seal then
        redis.call('HDEL', KEYS[1], 'log')
        ledger.log = '0-0'
    end
    if ledger.seal ~= seal then
        write_seal(seal)
    end
end

-- Sets nodes, share and seal; false if others are live by other ones, or what
-- is sealed by another key is there yet.
local function configure(nodes, share, seal, k, run, lease)
    local same = nodes == ledger.nodes and share == ledger.share
    local other = ledger.seal and ledger.seal ~= seal
    if (not same or other) and ledger.epoch > 0 and others_live(k)
       or other and has_lines() then
        return false
    end
    change_seal(seal)
    if same then
        return true
    end
    -- What was used by the other shares is in windows yet: as after a loss.
    if ledger.epoch > 0 then
        ledger.nodes = math.max(nodes, ledger.nodes)
        doubt_places()
        begin_epoch(run, lease, MOVED)
    end
    ledger.nodes, ledger.share, ledger.changed = nodes, share, true
    places = nil
    return true
end

function verbs.join()
    check_keys()
    expect_arguments(7, 10)
    local name, sid, run = word(2, 'name'), word(3, 'sid'), word(4, 'run_id')
    local nodes, share = number(5, 'nodes', 1), number(6, 'share', 0)
    local lease = number(7, 'lease', 1)
    local life = ARGV[8] and word(8, 'life') or sid
    local has_memory = life ~= sid
    if nodes > MAX_PLACE or share > 1000 then
        refuse('nodes are 1 to ' .. MAX_PLACE .. ', share is 0 to 1000')
    end

    read_ledger()
    local seal = read_seal(9)
    clock(0, 0)
    local k = find_place(name, life, has_memory)
    if not configure(nodes, share, seal, k, run, lease) then
        write_ledger()
        return answer('CONFIG', ledger.nodes, ledger.share, ledger.seal or seal)
    end
    if ledger.epoch == 0 then
        begin_epoch(run, lease, NEW)
    elseif ledger.run ~= run then
        begin_epoch(run, lease, MOVED)
        doubt_places()
    end
    k = find_place(name, life, has_memory)

    local p, has = read_place(k), 'KEPT'
    if not is_taken(p) or p.life ~= life then
        if has_memory then
            doubt_ledger()
            p = read_place(k)
        end
        has = has_at_first(p, k, has_memory)
        local former = p and p.exp or 0
        if is_taken(p) then
            former = math.max(former, now)  -- it may have lived on, cut off
        end
        p = { gone = TAKEN, life = life, former = former, told = 0,
              cursor = '0-0', owns = has == 'SHARE' and '1' or '0' }
        if former == 0 then
            p.told = ledger.epoch      -- no caps that a lost life had here
        end
    elseif not has_memory or p.epoch == 0 and p.owns == '0' then
        has = p.owns == '1' and 'SHARE' or 'NONE'   -- asked twice
    end
    p.sid, p.exp, p.name = sid, now + lease, name
    p.epoch = has_memory and 0 or ledger.epoch
    p.told = has_memory and 0 or p.told
    write_place(k, p)
    end_hold_if_told()
    write_ledger()
    return answer('OK', k, has == 'KEPT' and 0 or p.former, has, share_tags(10))
end

-- a-b of a stream, in order.
local function is_older(a, b)
    local a1, a2 = string.match(a, '^(%d+)-(%d+)$')
    local b1, b2 = string.match(b, '^(%d+)-(%d+)$')
    a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
    return a1 < b1 or a1 == b1 and a2 < b2
end

function verbs.renew()
    check_keys()
    expect_arguments(9, 9)
    local call = common()
    local cursor = ARGV[9]
    if not string.match(cursor, '^%d+-%d+$') then
        refuse('the cursor is ' .. cursor .. ', not as 1-0')
    end

    local p, refusal = enter(call)
    if p and p.epoch ~= ledger.epoch then
        refusal = 'RESTATE'
    end
    if refusal then
        write_ledger()
        return answer(refusal)
    end
    all_places()
    p.exp, p.cursor = now + call.lease, cursor
    write_place(call.k, p)
    end_hold_if_told()
    write_ledger()

    local reply = answer('OK', ledger.log)
    for k = 1, places.last do
        if is_live(places[k]) and is_older(places[k].cursor, ledger.log) then
            reply[#reply + 1] = places[k].name
        end
    end
    return reply
end

-- Half of what is left at most, so that who asks next gets something, too.
local function grant(P, k, want)
    local short = want - P.entry.cap
    if pool(P) < short then
        take_back(P, k)
    end
    local left = pool(P)
    local more = math.min(short, math.max(math.floor(left / 2),
                                          math.min(left, WHOLE)))
    if more > 0 then
        P.entry.cap, P.entry.busy = P.entry.cap + more, 0
        P.sum = P.sum + more
    end
end

local function adjust_one(told, k, p)
    local P = read_partner(told, k)
    if is_late(P, p, told.seq) then
        return -1, 0, 0
    elseif P.v > told.v or P.N ~= told.N or P.W ~= told.W then
        return -2, 0, 0
    end

    note_cap(P, k, p, told.cur, told.seq, told.busy)
    P.need, P.asked = without(P.need, k), without(P.asked, k)
    if told.want > told.cur and not is_held(P.W) then
        grant(P, k, told.want)
    end

    local cap, full, idle = P.entry.cap, 0, '0'
    if cap < told.want then
        P.need[#P.need + 1] = k
        if is_held(P.W) then
            full = ledger.hold + P.W - now
        else
            full = ask_others(P, k)
        end
    elseif told.want <= told.cur and #P.need > 0 then
        tell_short(P)
    elseif told.want <= told.cur and cap == standing(P, k)
           and (P.idle == '1' or says_nothing(P, k)) then
        idle = '1'
    end
    write_partner(P, k, idle)

    -- What was taken before the limit was lowered: each node gives its part back.
    local all = P.N - pool(P)
    if all > P.N and not is_held(P.W) then
        return math.floor(cap * P.N / all), 0, full
    end
    local left = math.max(pool(P), 0)
    return cap, left, left > 0 and 0 or full
end

function verbs.adjust()
    check_keys()
    local call = common()
    local list = partners_of(9, 7, { 'N', 'W', 'v', 'cur', 'want', 'seq',
                                     'busy' })
    local p, refusal = enter(call)
    if p and p.epoch ~= ledger.epoch then
        refusal = 'RESTATE'
    end
    write_ledger()
    if refusal then
        return answer(refusal)
    end
    local reply = answer('OK')
    for _, told in ipairs(list) do
        local cap, left, full = adjust_one(told, call.k, p)
        reply[#reply + 1] = cap
        reply[#reply + 1] = left
        reply[#reply + 1] = full
    end
    return reply
end

function verbs.restate()
    check_keys()
    local call = common()
    local done = number(9, 'done', 0)
    local list = partners_of(10, 5, { 'N', 'W', 'v', 'cap', 'seq' })

    local p, refusal = enter(call)
    if refusal then
        write_ledger()
        return answer(refusal)
    end
    for _, told in ipairs(list) do
        local P = read_partner(told, call.k)
        if not is_late(P, p, told.seq) then
            note_cap(P, call.k, p, told.cap, told.seq, 0)
            write_partner(P, call.k, '0')
        end
    end
    if done > 0 then
        all_places()
        p.exp = now + call.lease
        p.epoch, p.told = ledger.epoch, ledger.epoch
        write_place(call.k, p)
        end_hold_if_told()
    end
    write_ledger()
    return answer('OK')
end

function verbs.leave()
    check_keys()
    expect_arguments(8, 8)
    local call = common()
    local p, refusal = enter(call)
    if p and p.epoch ~= ledger.epoch then
        refusal = 'RESTATE'
    end
    if not refusal then
        p.gone, p.exp = LEFT, now
        write_place(call.k, p)
    end
    write_ledger()
    return answer(refusal or 'OK')
end

-- Orders the changes of partners. It has no stamp, so it leaves the clock
-- alone: its `now` may be late.
function verbs.change()
    check_keys('p', 'log')
    expect_arguments(5, 6)
    local id, line = ARGV[2], ARGV[4]
    local rev, maxlen = number(3, 'rev', 0), number(5, 'maxlen', 1)

    read_ledger()
    now = ledger.last
    local seal = read_seal(6)
    if not ledger.seal then
        write_seal(seal)
    elseif ledger.seal ~= seal then
        return answer('CONFIG', ledger.seal)
    end
    local stored = redis.call('HGET', KEYS[3], id) or ''
    if tonumber(string.match(stored, '^%d+') or 0) > rev then
        return answer('STALE', stored)
    end
    rev = rev + 1
    local at = redis.call('XADD', KEYS[4], 'MAXLEN', '~', int(maxlen), '*',
                          'id', id, 'rev', int(rev), 'line', line)
    redis.call('HSET', KEYS[3], id, int(rev) .. ' ' .. line)
    redis.call('HSET', KEYS[1], 'log', at)
    redis.call('PUBLISH', prefix .. 'ch', 'log')
    return answer('OK', rev, at)
end

if not verbs[verb] then
    refuse('no such verb')
end
return verbs[verb]()
