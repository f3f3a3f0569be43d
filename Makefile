# ngx_http_wassiit_module: "make help" lists what can be made. What is made
# lies under build/.

setup = conf/setup
JOBS ?= $(shell nproc)

fuzzers = $(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/*.c)) readers

# Which suites and unit tests: T and U name some, else all are meant.
ifeq ($(T)$(U),)
T := $(filter-out t/deb.t,$(wildcard t/*.t))
U := $(patsubst t/unit/%.c,%,$(wildcard t/unit/*.c))
everything := check
harnesses := $(fuzzers:%=build/fuzz/%)
replays := $(fuzzers:%=fuzz:%)
endif
programs = $(U:%=build/unit/%) $(U:%=build/unit-asan/%)

# What the newest nginx may well do in another way.
newest = $(filter $(T),$(patsubst %,t/%.t,malformed bad_request \
    bad_request_http2 bad_request_pages http2 http3 body body_clients access \
    satisfy error_page error_page_ways redirects upstream_hmac \
    upstream_hmac_log upstream_hmac_time limit_headers egress egress_net))

# What is the same on any nginx: these run once, and by tools of their own.
watched = $(filter t/monitoring.t t/prometheus.t,$(T))
browsed = $(filter t/console.t t/docs.t,$(T))
described = $(filter t/openapi.t t/admin_openapi.t,$(T))
pasted = $(filter t/snippets.t,$(T))
started = $(filter t/demo.t t/cluster_demo.t t/setup.t t/dist.t,$(T))
stored = $(filter t/ledger.t,$(T))
asked = $(filter t/command%,$(T))
packaged = $(filter t/packaging.t,$(T))
# What takes minutes runs twice: so, and with ASan.
long = $(filter t/cluster.t t/cluster_admin.t t/cluster_lies.t \
    t/cluster_replicas.t t/cluster_stale.t t/redis.t,$(T))
# By a Valkey, too: what the server does in its own way.
served = $(filter t/cluster.t t/cluster_acl.t t/cluster_admin.t t/cluster_demo.t \
    t/cluster_replicas.t t/ledger.t t/redis.t,$(T))
once = $(browsed) $(watched) $(described) $(pasted) $(started) $(stored) $(asked) \
    $(packaged) $(long)
many = $(filter-out $(once),$(T))
# Suites whose user matters: the front door's workers have no rights anyway.
rights = $(filter-out t/door_% t/cors.t,$(many))
tools = $(if $(watched),build/monitoring/ready) $(if $(browsed),browser) \
    $(if $(described),described) $(if $(browsed)$(pasted)$(started),docs)

# Fuzz harnesses: F names some, each of which "make fuzz" runs so long.
F ?= $(fuzzers)
FUZZ_TIME ?= 60

# What takes hours: S names some of its parts, files of t/strength.
chosen = $(or $(S),all)
strong = build/strength/timing build/strength/tsan/threads \
    $(if $(filter all long:%,$(chosen)),build/unit/window_processes) \
    $(if $(filter all fuzz,$(chosen)),$(fuzzers:%=build/fuzz/%)) \
    $(if $(filter all suites:%,$(chosen)),matrix $(tools))

# One more than processors: a block of Test::Nginx waits for much of its time.
prove = prove -j $$(($(JOBS) + 1)) --timer --exec t/lib/suite.sh

.PHONY: all build console docs browser described run cluster stop clean test \
    unit suite asan fuzz strength check matrix debug tags bench pictures install uninstall dist \
    deb deb-test help deps deb-deps test-deps strength-deps

all: build

help:           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

build: deps     ## the module for the distribution's nginx
	@$(setup)/build.sh deb

install: ## what is built, for an nginx of this machine: NGINX, MODULE, prefix, DESTDIR
	@NGINX="$(NGINX)" MODULE="$(MODULE)" modulesdir="$(modulesdir)" \
	    prefix="$(prefix)" DESTDIR="$(DESTDIR)" $(setup)/place.sh

uninstall: ## what "make install" put, with the same prefix and DESTDIR
	@prefix="$(prefix)" DESTDIR="$(DESTDIR)" $(setup)/place.sh uninstall

dist:           ## build/ngx_http_wassiit_module-VERSION.tar.xz, of what is committed
	@$(setup)/dist.sh

console: ## the operators' console: build/console
	@$(setup)/install.sh console
	@$(setup)/console.sh run

docs: ## what partners and operators' programs read: build/docs
	@$(setup)/install.sh console
	@$(setup)/docs.sh run

browser: test-deps
	@$(setup)/console.sh test

described: test-deps docs
	@$(setup)/docs.sh test

deb: deb-deps   ## Debian packages, built in chroots: build/deb; D="bookworm trixie unstable"
	@$(setup)/deb.sh $(D)

deb-test: deb   ## installs, upgrades and removes them in chroots, with requests coming
	@TEST_SUITES="$(or $(D),bookworm trixie unstable)" prove t/deb.t

run: build console docs ## a front door with sandbox backends on 127.0.0.1:8080
	@$(setup)/demo.sh start

cluster: build console docs ## three front doors that share limits by Redis, on 127.0.0.1:8181 to 8183
	@$(setup)/install.sh cluster
	@$(setup)/cluster.sh start

stop:           ## end it
	@$(setup)/demo.sh stop
	@$(setup)/cluster.sh stop

clean: stop     ## remove all that was made
	@[ ! -e build/chroot ] || $(setup)/deb.sh clean
	@rm -rf build tags

test: $(everything) matrix $(tools) ## all tests; T="t/a.t t/b.t" U="x" choose
	@$(if $(harnesses)$(programs),$(MAKE) --no-print-directory -j$(JOBS) \
	    $(harnesses) $(programs))
	@$(setup)/build.sh asan
	@$(prove) $(replays) $(U:%=unit:%) $(U:%=unit-asan:%) \
	    $(once:%=deb:%) $(many:%=deb:%) $(many:%=asan:%) $(long:%=asan:%) \
	    $(rights:%=user:%) $(many:%=next:%) \
	    $(patsubst %,user:%,$(filter t/command.t t/command_backup.t,$(asked))) \
	    $(served:%=valkey:%) $(newest:%=unstable:%)

unit: test-deps $(programs) ## the core's unit tests alone; U=x for t/unit/x.c
	@$(prove) $(U:%=unit:%) $(U:%=unit-asan:%)

suite: build test-deps $(tools) ## the suites on the distribution's nginx alone; T=t/x.t
	@$(prove) $(T:%=deb:%)

asan: test-deps $(tools) ## the suites under ASan and UBSan alone; T=t/x.t
	@$(setup)/build.sh asan
	@$(if $(many)$(long),$(prove) $(many:%=asan:%) $(long:%=asan:%))

fuzz: test-deps $(F:%=build/fuzz/%) ## new inputs; F=x for t/fuzz/x.c, FUZZ_TIME=60
	@for name in $(F); do t/lib/fuzz.sh run $$name $(FUZZ_TIME) || exit 1; done

strength: build strength-deps $(strong) ## what takes hours, and its table; S="models soak" chooses
	@t/strength/run $(S)

check: build test-deps ## warnings as errors, static analysis, style
	@t/lib/check.sh

matrix: build test-deps ## builds by gcc and clang, for this nginx and newer ones
	@$(setup)/build.sh clang
	@NGINX_SRC=$$($(setup)/unstable.sh) $(setup)/build.sh deb
	@NGINX_SRC=$$($(setup)/source.sh trixie) && export NGINX_SRC && \
	    $(setup)/build.sh clang && $(setup)/build.sh full

debug: test-deps ## a whole nginx for a debugger: build/debug/nginx
	@$(setup)/build.sh debug

bench: build test-deps ## speed and memory, beside the bare nginx
	@t/bench/run

pictures: build console docs browser ## the pictures of the documentation: conf/doc
	@$(setup)/pictures.sh

tags: test-deps ## for an editor
	@ctags -R ngx_http_wassiit_module.c src /usr/share/nginx/src/src

deps:
	@$(setup)/install.sh run

deb-deps:
	@$(setup)/install.sh deb
	@$(setup)/console.sh run
	@$(setup)/docs.sh run

test-deps:
	@$(setup)/install.sh test

strength-deps:
	@$(setup)/install.sh strength

build/monitoring/ready: $(setup)/monitoring.sh $(wildcard t/lib/dashboard/*.json) | test-deps
	@$(setup)/monitoring.sh
	@touch $@

# A unit test is a program: one file of t/unit and the core, without nginx. Those
# of the partners' file and its lines take the state below it, too; a few need
# one source alone.

headers = $(shell $(setup)/headers.sh /usr/share/nginx/src $(1))
core = $(wildcard src/ngx_wassiit_*.c)
state = $(wildcard $(foreach name,store file compact journal path record record_id record_last record_write etag arena,src/ngx_http_wassiit_$(name).[ch]))
secret = src/ngx_http_wassiit_secret.c
board = $(wildcard $(foreach name,memory board board_sh board_recent,src/ngx_http_wassiit_$(name).[ch]))
needs = $(core) $(state) $(wildcard src/ngx_wassiit_*.h t/unit/*.h) Makefile
build/unit/window_caps build/unit-asan/window_caps: core := $(filter-out src/ngx_wassiit_window.c,$(core))
build/unit/rate build/unit-asan/rate: core = src/ngx_wassiit_rate.c
build/unit/header build/unit-asan/header: core = src/ngx_wassiit_header.c
build/unit/arena build/unit-asan/arena: core = src/ngx_http_wassiit_arena.c
build/unit/journal build/unit-asan/journal: core = src/ngx_http_wassiit_journal.c
build/unit/memory build/unit-asan/memory: core = src/ngx_http_wassiit_memory.c
build/unit/memory build/unit-asan/memory: src/ngx_http_wassiit_memory.h
build/unit/board build/unit-asan/board: core += $(filter %.c,$(state) $(board))
build/unit/board build/unit-asan/board: $(board)
build/unit/path build/unit-asan/path: core = src/ngx_http_wassiit_path.c
build/unit/etag build/unit-asan/etag: core += $(filter %.c,$(state))
build/unit/record build/unit-asan/record: core += $(filter %.c,$(state))
build/unit/secret build/unit-asan/secret: core += $(filter %.c,$(state)) $(secret)
build/unit/secret build/unit-asan/secret: $(secret) $(secret:.c=.h)
shared = $(wildcard $(foreach name,memory board board_sh board_recent room plan partner mend zone% claims claims_sh caps,src/ngx_http_wassiit_$(subst %,*,$(name)).[ch]))
build/unit/store build/unit-asan/store: core += $(filter %.c,$(state))
build/unit/zone build/unit-asan/zone: core += $(filter %.c,$(state) $(shared))
build/unit/zone build/unit-asan/zone: $(shared)
build/unit/zone_steps build/unit-asan/zone_steps: core += $(filter %.c,$(state) $(shared))
build/unit/zone_steps build/unit-asan/zone_steps: $(shared)
members = $(foreach dir,unit unit-asan,build/$(dir)/claims build/$(dir)/caps build/$(dir)/caps_steps)
$(members): core += $(filter %.c,$(state) $(shared))
$(members): $(shared)
leader = $(wildcard $(foreach name,leader session scan cluster adjust,src/ngx_http_wassiit_$(name).[ch]))
leads = $(foreach dir,unit unit-asan,build/$(dir)/leader)
$(leads): core += $(filter %.c,$(state) $(shared) $(leader))
$(leads): flags += $(call headers,http)
$(leads): $(shared) $(leader)
build/unit/edit build/unit-asan/edit: core += $(filter %.c,$(state)) src/ngx_http_wassiit_edit.c
build/unit/edit build/unit-asan/edit: $(wildcard $(foreach name,change edit zone,src/ngx_http_wassiit_$(name).h)) src/ngx_http_wassiit_edit.c
changes = $(wildcard $(foreach name,change edit recover,src/ngx_http_wassiit_$(name).[ch]))
change = $(foreach dir,unit unit-asan,build/$(dir)/change build/$(dir)/change_deaths)
$(change): core += $(filter %.c,$(state) $(shared) $(changes))
$(change): flags += -Wl,--wrap=free
$(change): $(shared) $(changes)
flags = -g -Wall -Wextra -Werror -Wno-unused-parameter -I src -I build/deb \
    $(call headers,core event os)

build/unit/%: t/unit/%.c $(needs) | build test-deps
	@mkdir -p $(@D)
	@gcc -O2 $(flags) -o $@ $< $(core) -lcrypto -ljansson

# Programs of "make strength": the concurrent core by threads, for TSan to watch,
# and the times of comparisons.

build/strength/tsan/%: core += src/ngx_http_wassiit_journal.c
build/strength/tsan/%: t/strength/%.c $(needs) | build test-deps
	@mkdir -p $(@D)
	@clang -O1 -g -fno-omit-frame-pointer -fsanitize=thread $(flags) -I t/unit \
	    -o $@ $< $(core) -lcrypto -ljansson

build/strength/%: t/strength/%.c $(needs) | build test-deps
	@mkdir -p $(@D)
	@gcc -O2 $(flags) -I t/unit -o $@ $< $(core) -lcrypto -ljansson -lm

build/unit-asan/%: t/unit/%.c $(needs) | build test-deps
	@mkdir -p $(@D)
	@clang -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	    -fno-sanitize-recover=all $(flags) -o $@ $< $(core) -lcrypto -ljansson

# A fuzz harness is made in the same way, with libFuzzer.

build/fuzz/partners build/fuzz/secrets: core += $(filter %.c,$(state)) $(secret)

build/fuzz/%: t/fuzz/%.c $(needs) $(wildcard t/fuzz/*.h) $(secret) | build \
    test-deps
	@mkdir -p $(@D)
	@clang -O1 -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all $(flags) -I t/unit -o $@ $< $(core) \
	    -lcrypto -ljansson

# The parser of uploads for t/fuzz/readers/run, which other readers hold against
# it; what it runs by is but a name.

build/fuzz/readers: build/fuzz/readers.so
	@touch $@

build/fuzz/readers.so: t/fuzz/readers/ours.c $(needs) | build test-deps
	@mkdir -p $(@D)
	@gcc -O2 -shared -fPIC $(flags) -o $@ $< $(core) -lcrypto -ljansson
