# petrel's build.  `make help` lists what a person would type.
#
# One set of rules builds every flavour: FLAVOUR=release (default), clang, asan, tsan, fuzz, each in a folder of its own.
# `make run`, `make check` and `make bench` install the Debian packages that are missing (packaging/need) and then start
# make anew, because what pkg-config says of a library is asked when make starts.

FLAVOUR ?= release
PREFIX  ?= /usr/local
CONFDIR ?= /etc
PORT    ?= 8080
FUZZ_S  ?= 60
PYTHON  := /usr/bin/python3
MAKEFLAGS += --no-print-directory
VERSION := 0.1.0

ifeq ($(FLAVOUR),release)
OUT := build
else
OUT := build/$(FLAVOUR)
endif

LIBS     := libpcre2-8 liburing libzstd libbrotlienc zlib jansson libxxhash libcares
SOURCES  := $(sort $(wildcard src/*/*.c))
UNIT     := $(sort $(wildcard tests/unit/*/*_test.c))
FUZZ     := $(sort $(wildcard tests/fuzz/*_fuzz.c))
ASSETS   := $(sort $(wildcard src/*/*.S))
OBJECTS  := $(SOURCES:%.c=$(OUT)/obj/%.o) $(ASSETS:%.S=$(OUT)/obj/%.o)
LIBRARY  := $(OUT)/libpetrel.a
TESTS    := $(UNIT:tests/unit/%.c=$(OUT)/unit/%)
FUZZERS  := $(FUZZ:tests/fuzz/%.c=$(OUT)/%)
BENCHLIB := bench/client.c bench/responder.c bench/times.c
BENCHES  := $(patsubst bench/%.c,build/bench/%,$(filter-out $(BENCHLIB),$(wildcard bench/*.c)))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers \
            -Werror
CPPFLAGS += -Isrc -D_GNU_SOURCE -DPETREL_VERSION='"$(VERSION)"'
CFLAGS   += -std=gnu2x -g -pthread -fno-strict-aliasing -fPIE $(WARNINGS)
LDFLAGS  += -pthread -pie
LDLIBS   += $(shell pkg-config --libs $(LIBS) 2>/dev/null) -lm

# Release: optimised over all files at once, and hardened.
FLAGS_release := -O2 -flto=auto -ffat-lto-objects -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fstack-clash-protection
LINK_release  := -O2 -flto=auto -Wl,-z,relro,-z,now,-z,noexecstack
FLAGS_clang   := -O2
FLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan     := -fsanitize=address,undefined
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
LINK_tsan     := -fsanitize=thread
FLAGS_fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_fuzz     := -fsanitize=address,undefined
ifneq ($(filter $(FLAVOUR),clang fuzz),)
CC := clang
AR := llvm-ar
endif
ifeq ($(FLAVOUR),release)
AR := gcc-ar
ifeq ($(CC),clang)
AR := llvm-ar
FLAGS_release := $(filter-out -ffat-lto-objects -flto=auto,$(FLAGS_release))
LINK_release  := $(filter-out -flto=auto,$(LINK_release))
endif
endif

# ThreadSanitizer wants its addresses where it expects them.
UNDER_tsan := setarch -R

# System tests mostly wait: four of them share a core.  None waits for ever.
SYSTEM_RUNS ?= $(shell expr 4 \* $$(nproc))
# It finds races: of the system tests it runs those in which threads meet (tests/system/conftest.py: the mark `threads`), and
# of the unit tests those that start a thread.
CHOICE_tsan := -m threads
ifeq ($(FLAVOUR),tsan)
TESTS := $(patsubst tests/unit/%.c,$(OUT)/unit/%,$(shell grep -lE 'pthread_create|(disk|log)_new|shelved_init|server_start' $(UNIT)))
endif

# All cores, unless somebody said how many.
JOBS       = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
MAN       := docs/man/petrel.1 docs/man/petrel.conf.5

.PHONY: all run check bench fuzz lint install clean help unit system fuzzers docs example
.PHONY: lint-sources lint-globals lint-docs
all: $(OUT)/petrel
	@:

help:
	@echo 'make            build/petrel, optimised and hardened'
	@echo 'make run        serve the example site on PORT=8080 (installs what is missing)'
	@echo 'make check      every test, as CI runs them (installs what is missing)'
	@echo 'make bench      measure against nginx, lighttpd, H2O, Caddy and HAProxy (installs what is missing)'
	@echo 'make unit       unit tests; FLAVOUR=asan or tsan for the sanitizers'
	@echo 'make system     system tests; PYTEST="-k reload" chooses some'
	@echo 'make fuzz       each fuzz target for FUZZ_S=60 seconds'
	@echo 'make lint       floors, globals, shape of the sources, clang, current documentation'
	@echo 'make docs       write docs/reference and docs/man anew'
	@echo 'make install    PREFIX=/usr/local, CONFDIR=/etc, DESTDIR='

$(OUT)/petrel: $(LIBRARY)
	@echo '  LD    $@'
	@$(CC) $(CFLAGS) $(FLAGS_$(FLAVOUR)) $(LDFLAGS) $(LINK_$(FLAVOUR)) -o $@ -Wl,--whole-archive $(LIBRARY) \
	    -Wl,--no-whole-archive $(LDLIBS)

# Everything but main() itself, for the tests to link with.
$(LIBRARY): $(OBJECTS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_$(FLAVOUR)) -MMD -MP -c -o $@ $<

# Bytes of files, by the assembler's .incbin.
$(OUT)/obj/%.o: %.S $(wildcard web/*) Makefile
	@mkdir -p $(@D)
	@echo '  AS    $@'
	@$(CC) -c -o $@ $<

# liburing says its version to pkg-config only.
$(OUT)/obj/src/main/cli_version.o: CPPFLAGS += -DLIBURING_VERSION='"$(shell pkg-config --modversion liburing)"'

# Not optimised over all files: a hundred programs would each take seconds to link.
$(OUT)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_$(FLAVOUR)) -fno-lto -MMD -MP $(LDFLAGS) $(LINK_$(FLAVOUR)) -fno-lto \
	    -o $@ $< $(LIBRARY) -lcmocka -lbrotlidec $(LDLIBS)

# Keys are to be placed as libmemcached places them.
$(OUT)/unit/net/ketama_test: LDLIBS += -lmemcached

$(OUT)/%_fuzz: tests/fuzz/%_fuzz.c $(LIBRARY)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_fuzz) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(LIBRARY) $(LDLIBS)

fuzzers: $(FUZZERS)

# --- Tests. ---

check:
	@packaging/need check
	@tests/check

unit: $(TESTS)
	@tests/unit/run $(UNDER_$(FLAVOUR)) -- $(TESTS)

system: $(OUT)/petrel
	@PETREL=$(OUT)/petrel $(UNDER_$(FLAVOUR)) $(PYTHON) -m pytest -q -p no:cacheprovider -n $(SYSTEM_RUNS) --timeout 300 \
	    $(CHOICE_$(FLAVOUR)) tests/system $(PYTEST)

fuzz:
	@$(MAKE) FLAVOUR=fuzz fuzzers
	@tests/fuzz/run $(FUZZ_S) $(FUZZ:tests/%.c=build/%)

lint: lint-sources lint-globals lint-docs

lint-sources:
	@tests/lint/floors
	@tests/lint/shape
	@tests/lint/shape --report

# Of clang's objects, since gcc's are not finished before the program is linked; and so clang's warnings stop us, too.
lint-globals:
	@$(MAKE) FLAVOUR=clang all
	@tests/lint/globals build/clang/obj/src

lint-docs: $(OUT)/petrel
	@rm -rf build/docs && mkdir -p build/docs
	@$(OUT)/petrel help --reference build/docs
	@diff -r build/docs/reference docs/reference && diff -r build/docs/man docs/man || \
	    { echo 'docs/ is not what the tables say: make docs'; exit 1; }
	@mandoc -T lint -W warning $(MAN)

docs: $(OUT)/petrel
	@$(OUT)/petrel help --reference docs

# --- The example site. ---

run:
	@packaging/need run
	@$(MAKE) $(JOBS) all example
	@PORT=$(PORT) examples/site/run

example: build/example/made
	@:

build/example/made: $(wildcard examples/site/* examples/site/apps/*/*) $(wildcard *.md docs/*.md docs/*/*.md docs/*/*.svg)
	@echo '  SITE  $(@D)'
	@$(PYTHON) examples/site/make $(@D)
	@touch $@

# --- Measuring. ---

# The floor server, the origins and the load programs; always the release's flags.
build/bench/%: bench/%.c $(BENCHLIB) $(BENCHLIB:.c=.h) Makefile
	@mkdir -p $(@D)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_release) $(LDFLAGS) $(LINK_release) -o $@ $< $(BENCHLIB) -lm

# ONLY=hot,idle picks scenarios, QUICK=1 shortens them.  A peer that can't be installed is left out.
bench:
	@packaging/need build
	@packaging/need bench || :
	@$(MAKE) $(JOBS) all $(BENCHES)
	@$(PYTHON) bench/run $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

# --- Installing. ---

install: $(OUT)/petrel
	install -D -m 755 $(OUT)/petrel $(DESTDIR)$(PREFIX)/bin/petrel
	install -D -m 644 docs/man/petrel.1 $(DESTDIR)$(PREFIX)/share/man/man1/petrel.1
	install -D -m 644 docs/man/petrel.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/petrel.conf.5
	install -D -m 644 examples/petrel.conf $(DESTDIR)$(PREFIX)/share/doc/petrel/petrel.conf
	install -D -m 755 packaging/munin/petrel $(DESTDIR)$(PREFIX)/share/munin/plugins/petrel
	install -D -m 644 examples/grafana/petrel.json $(DESTDIR)$(PREFIX)/share/doc/petrel/grafana.json
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,@PREFIX@,$(PREFIX),;s,@CONFDIR@,$(CONFDIR),' packaging/petrel.service \
	    > $(DESTDIR)$(PREFIX)/lib/systemd/system/petrel.service
	test -e $(DESTDIR)$(CONFDIR)/petrel/petrel.conf || \
	    install -D -m 644 examples/petrel.conf $(DESTDIR)$(CONFDIR)/petrel/petrel.conf

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(TESTS:=.d)
