# Of an nginx configuration, or of what one includes into a map: the words, as
# nginx takes them apart. Of a map from a key to a client it prints "pair", the
# line, the key and the client; for what is no such pair "lost", the line and a
# text; "note" if nobody is let in by it. us is what parts them, sq is a single
# quote, variable the map's source, any with "key" in its name if it is empty.

function told(kind, text) {
    if (kind != "pair")
        gsub(/[\001-\037]/, "?", text)
    print kind us first us text
}

# A backslash and d, as nginx reads them.
function escaped(d) {
    if (d == "\"" || d == sq || d == "\\")
        return d
    return d == "t" ? "\t" : d == "r" ? "\r" : d == "n" ? "\n" : "\\" d
}

# ";": the words so far are a directive, or a pair of a map.
function directive(    key, client) {
    if (inside && count) {
        key = word[1]
        client = word[2]

        if (count == 1 && (key == "hostnames" || key == "volatile"))
            ;
        else if (count != 2)
            told("lost", "not a pair of a key and a client")
        else if (key == "include")
            told("lost", "include " client ": import that file, too")
        else if (key == "default") {
            if (client != "" && client != "0")
                told("note", "default: who has none of the keys was \"" client "\", and is refused here")
        }
        else if (key client ~ /[\001-\037]/)
            told("lost", "a key or a client that isn't printable")
        else if (key ~ /^~/)
            told("lost", "a regular expression, of which there is no SHA-256")
        else if (client ~ /\$/)
            told("lost", "the client is \"" client "\": there are no variables here")
        else {
            sub(/^\\/, "", key)
            told("pair", key us client)
        }
    }
    count = 0
}

# "{": the words so far begin a block.
function block(    name) {
    depth++
    if (!inside && count == 3 && word[1] == "map") {
        maps++
        name = word[2]
        sub(/^\$/, "", name)
        if (variable == "" ? tolower(name) ~ /key/ : name == variable) {
            inside = depth
            looked = 1
            if (tolower(name) != "http_x_api_key")
                told("note", "$" name ": here clients send their keys in X-API-Key")
        }
    }
    count = 0
}

function close_block() {
    directive()
    if (inside == depth)
        inside = 0
    depth--
}

function end_word() {
    word[++count] = w
    on = quote = ""
}

function mark(c) {
    if (c == ";")
        directive()
    else if (c == "{")
        block()
    else if (c == "}")
        close_block()
    else
        return 0
    return 1
}

# One line of the text, which a word in quotes may go beyond.
function take(text,    at, c) {
    for (at = 1; (c = substr(text, at, 1)) != ""; at++) {
        if (!on) {
            if (c ~ /[ \t\r\n]/)
                continue
            if (c == "#")
                return
            if (count == 0)
                first = line
            if (mark(c))
                continue
            on = 1
            w = ""
            if (c == "\"" || c == sq) {
                quote = c
                continue
            }
        }

        if (c == "\\")
            w = w escaped(substr(text, ++at, 1))
        else if (quote) {
            if (c == quote)
                end_word()
            else
                w = w c
        }
        else if (c ~ /[ \t\r\n;]/ || (c == "{" && w !~ /\$$/)) {
            end_word()
            mark(c)
        }
        else
            w = w c
    }
}

BEGIN { sub(/^\$/, "", variable) }

{
    row[NR] = $0 "\n"
    if ($0 ~ /^([^#]*[ \t;{}])?map[ \t]/)
        has_map = 1
}

END {
    # without a map it is what stands in one
    if (!has_map)
        inside = looked = -1

    for (line = 1; line <= NR; line++)
        take(row[line])

    first = NR
    if (!looked)
        told("lost", "no map from a key, of " maps + 0 " maps: name the variable by --variable")
    else if (on || count || depth > 0)
        told("lost", "the file ends in the middle of something")
}
