return { ARGV[1] or '', KEYS[1] or '', redis.call('TIME')[1] }
