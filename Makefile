# petrel's build.  `make help` lists what a person would type.
#
# One set of rules builds every flavour: FLAVOUR=release (default), asan, tsan, fuzz, each in a folder of its own.

FLAVOUR ?= release
PREFIX  ?= /usr/local
PYTHON  := /usr/bin/python3
VERSION := 0.1.0

ifeq ($(FLAVOUR),release)
OUT := build
else
OUT := build/$(FLAVOUR)
endif

LIBS     := libpcre2-8 liburing libzstd libbrotlienc zlib jansson libxxhash
SOURCES  := $(sort $(wildcard src/*/*.c))
UNIT     := $(sort $(wildcard tests/unit/*/*_test.c))
FUZZ     := $(sort $(wildcard tests/fuzz/*_fuzz.c))
OBJECTS  := $(SOURCES:%.c=$(OUT)/obj/%.o)
LIBRARY  := $(OUT)/libpetrel.a
TESTS    := $(UNIT:tests/unit/%.c=$(OUT)/unit/%)
FUZZERS  := $(FUZZ:tests/fuzz/%.c=$(OUT)/%)
BENCHES  := $(patsubst bench/%.c,build/bench/%,$(filter-out bench/client.c,$(wildcard bench/*.c)))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual \
            -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers \
            -Werror
CPPFLAGS += -Isrc -D_GNU_SOURCE -DPETREL_VERSION='"$(VERSION)"'
CFLAGS   += -std=gnu2x -g -pthread -fno-strict-aliasing -fPIE $(WARNINGS)
LDFLAGS  += -pthread -pie
LDLIBS   += $(shell pkg-config --libs $(LIBS) 2>/dev/null)

# Release: optimised over all files at once, and hardened.
FLAGS_release := -O2 -flto=auto -ffat-lto-objects -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fstack-clash-protection
LINK_release  := -O2 -flto=auto -Wl,-z,relro,-z,now,-z,noexecstack
FLAGS_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LINK_asan     := -fsanitize=address,undefined
FLAGS_tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
LINK_tsan     := -fsanitize=thread
FLAGS_fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LINK_fuzz     := -fsanitize=address,undefined
ifeq ($(FLAVOUR),fuzz)
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

.PHONY: all run check bench fuzz lint install clean help needs unit programs fuzzers docs
all: $(OUT)/petrel

help:
	@echo 'make            build/petrel, optimised and hardened'
	@echo 'make run        serve the example site (installs what is missing)'
	@echo 'make check      every test, as CI runs them (installs what is missing)'
	@echo 'make bench      measure against nginx, lighttpd, H2O, Caddy and HAProxy'
	@echo 'make fuzz       each fuzz target for FUZZ_S=60 seconds'
	@echo 'make lint       floors, globals, names, warnings of the analysers'
	@echo 'make docs       write docs/reference and the man pages anew'
	@echo 'make install    PREFIX=/usr/local, DESTDIR='

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

# liburing says its version to pkg-config only.
$(OUT)/obj/src/main/cli_version.o: CPPFLAGS += -DLIBURING_VERSION='"$(shell pkg-config --modversion liburing)"'

$(OUT)/unit/%: tests/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_$(FLAVOUR)) -MMD -MP $(LDFLAGS) $(LINK_$(FLAVOUR)) -o $@ $< $(LIBRARY) \
	    -lcmocka -lbrotlidec $(LDLIBS)

$(OUT)/%_fuzz: tests/fuzz/%_fuzz.c $(LIBRARY)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_fuzz) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(LIBRARY) $(LDLIBS)

unit: $(TESTS)
	@set -e; for t in $(TESTS); do echo "  TEST  $$t"; $$t; done

lint: $(LIBRARY)
	@$(PYTHON) tests/lint/floors
	@$(PYTHON) tests/lint/globals

# The floor server and the load programs; always the release's flags.
build/bench/%: bench/%.c bench/client.c bench/client.h Makefile
	@mkdir -p $(@D)
	@echo '  CC    $@'
	@$(CC) $(CPPFLAGS) $(CFLAGS) $(FLAGS_release) $(LDFLAGS) $(LINK_release) -o $@ $< bench/client.c

# ONLY=hot,idle picks scenarios, QUICK=1 shortens them.
bench: build/petrel $(BENCHES)
	@$(PYTHON) bench/run $(if $(ONLY),--only $(ONLY)) $(if $(QUICK),--quick)

clean:
	rm -rf build

-include $(OBJECTS:.o=.d) $(TESTS:=.d)
