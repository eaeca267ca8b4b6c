# corpusfs: `make help` lists the targets.
#
# One non-recursive file. Every src/*/*.c belongs to the library but mount/ and cli/, which are its clients; a new file needs
# no line here. Objects lie under build/<config>/, so that sanitizer builds stand beside the normal one.

CC = gcc
PKG_CONFIG = pkg-config
PREFIX = /usr/local
# mount(8) looks for its helpers in /usr/sbin and nowhere else.
SBINDIR = $(if $(filter /usr /usr/%,$(PREFIX)),/usr/sbin,$(PREFIX)/sbin)
SANITIZE =
DEVELOPER = 0
V = 0

comma := ,
config := $(if $(SANITIZE),$(subst $(comma),-,$(SANITIZE)),normal)
config := $(config)$(if $(filter gcc,$(CC)),,-$(notdir $(CC)))$(if $(filter 1,$(COVERAGE)),-coverage)
B := build/$(config)
# The program that people run is always build/corpusfs; other configurations keep theirs in their own folder.
PROGRAM := $(if $(filter normal,$(config)),build/corpusfs,$(B)/corpusfs)

libraries = fuse3 lmdb uchardet libutf8proc libcrypto libxxhash libseccomp gumbo expat zlib jansson libcurl liblzma libzstd
# Loaded when it is needed (src/extract/archive.c): only its headers are used.
headers = libarchive
found := $(shell $(PKG_CONFIG) --exists $(libraries) $(headers) 2>/dev/null && echo yes)
ifneq ($(found),yes)
ifeq ($(filter help clean,$(MAKECMDGOALS)),)
$(error Some libraries are missing ($(libraries) $(headers)). `scripts/install-packages build` installs them on Debian and Ubuntu)
endif
endif

CPPFLAGS += -D_GNU_SOURCE -DFUSE_USE_VERSION=314 -Isrc -Iinclude $(shell $(PKG_CONFIG) --cflags $(libraries) 2>/dev/null | sed 's/-I/-isystem /g')
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wundef -fno-common -fvisibility=hidden
ifeq ($(DEVELOPER),1)
WARN += -Werror
endif
OPTIMISE = -O2 -g
CFLAGS += -std=c17 $(OPTIMISE) $(WARN) -pthread -fstack-protector-strong
# No fused multiply-add behind our back: the kernels promise equal bits on every instruction set.
CFLAGS += -ffp-contract=off
LDFLAGS += -pthread -Wl,-z,relro,-z,now
LDLIBS = $(shell $(PKG_CONFIG) --libs $(libraries) 2>/dev/null) -lbz2 -lstemmer -lm
ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=$(SANITIZE)
else
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifeq ($(COVERAGE),1)
CFLAGS += --coverage
LDFLAGS += --coverage
endif

lib_sources := $(filter-out src/mount/% src/cli/%,$(wildcard src/*/*.c))
lib_objects := $(lib_sources:%.c=$(B)/%.o) $(patsubst %.S,$(B)/%.o,$(wildcard src/*/*.S))
app_objects := $(patsubst %.c,$(B)/%.o,$(wildcard src/mount/*.c src/cli/*.c))
unit_tests := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
fuzz_targets := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
test_tools := $(patsubst tests/tools/%.c,$(B)/tools/%,$(filter-out tests/tools/fail.c,$(wildcard tests/tools/*.c))) $(B)/tools/fail.so
bench_programs := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/bench_*.c))

Q := $(if $(filter 1,$(V)),,@)

all: $(PROGRAM) ## build the program, build/corpusfs

$(PROGRAM): $(app_objects) $(B)/libcorpusfs.a
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  LINK $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $(app_objects) $(B)/libcorpusfs.a $(LDLIBS)

$(B)/libcorpusfs.a: $(lib_objects)
	@$(if $(Q),echo "  AR   $@")
	$(Q)rm -f $@ && $(AR) rcs $@ $^

# Only the kernels' own objects are compiled for an instruction set beyond the baseline.
$(B)/src/vec/avx2.o: CFLAGS += $(if $(filter x86_64,$(shell uname -m)),-mavx2)
$(B)/src/vec/avx512.o: CFLAGS += $(if $(filter x86_64,$(shell uname -m)),-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512vpopcntdq)

$(B)/%.o: %.c
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  CC   $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# What .incbin reads is not among the compiler's dependencies.
$(B)/src/embed/model_data.o: src/embed/model_static.bin

$(B)/%.o: %.S
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  AS   $<")
	$(Q)$(CC) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%: tests/unit/%.c $(B)/libcorpusfs.a
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  TEST $@")
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(B)/libcorpusfs.a $(LDLIBS)

$(B)/bench/%: tests/bench/%.c $(B)/libcorpusfs.a
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  BENCH $@")
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(B)/libcorpusfs.a $(LDLIBS) -lsqlite3

# A fuzz target is one function, LLVMFuzzerTestOneInput. Here it is linked with a driver that replays files (any compiler);
# `make fuzz` builds it with clang's libFuzzer.
$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(B)/libcorpusfs.a
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  FUZZ $@")
	$(Q)$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -Wno-missing-prototypes $(LDFLAGS) -o $@ $< tests/fuzz/replay.c $(B)/libcorpusfs.a $(LDLIBS)

# Programs that the cases use, and the library that makes calls of a program under test fail.
$(B)/tools/%: tests/tools/%.c
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  TOOL $@")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $<

$(B)/tools/fail.so: tests/tools/fail.c
	$(Q)mkdir -p $(@D)
	@$(if $(Q),echo "  TOOL $@")
	$(Q)$(CC) -D_GNU_SOURCE $(filter-out -fsanitize=% -Wpedantic,$(CFLAGS)) -Wno-missing-prototypes -fPIC -shared -o $@ $< -ldl

unit: $(unit_tests) ## build and run the unit tests
	$(Q)scripts/run-tests $(unit_tests)

check-quick: unit ## unit tests only

check: all $(unit_tests) $(fuzz_targets) $(test_tools) ## every test: unit, golden, fuzz corpus replay, cases that mount
	$(Q)PROGRAM=$(abspath $(PROGRAM)) TOOLS=$(abspath $(B)/tools) FUZZ_DIR=$(abspath $(B)/fuzz) scripts/run-tests $(unit_tests) tests/golden/run tests/fuzz/replay-all $(sort $(wildcard tests/cases/[0-9]*))

soak: all $(test_tools) ## the long forms of the cases of trust, 75 to 90 minutes
	$(Q)SOAK=1 TEST_TIMEOUT=7200 TEST_VERBOSE=1 PROGRAM=$(abspath $(PROGRAM)) TOOLS=$(abspath $(B)/tools) scripts/run-tests $(sort $(wildcard tests/cases/36* tests/cases/4[0-8]*))

torture: all $(test_tools) ## every allocation, write to the store, process and thread start fails once, in turn: about 20 minutes
	$(Q)SOAK=1 TEST_TIMEOUT=7200 TEST_VERBOSE=1 PROGRAM=$(abspath $(PROGRAM)) TOOLS=$(abspath $(B)/tools) scripts/run-tests tests/cases/490-torture.sh

fuzz_seconds = 60
fuzz: ## fuzz every parser for fuzz_seconds=60 each with clang's libFuzzer
	$(Q)scripts/fuzz $(fuzz_seconds)

bench: all $(bench_programs) ## measure against the baselines: docs/performance.md
	$(Q)BENCH_DIR=$(abspath $(B)/bench) PROGRAM=$(abspath $(PROGRAM)) scripts/bench

bench-large: all $(bench_programs) ## the rows of a million chunks
	$(Q)BENCH_DIR=$(abspath $(B)/bench) PROGRAM=$(abspath $(PROGRAM)) scripts/bench --large

bench-programs: $(bench_programs)

test-programs: $(unit_tests) $(fuzz_targets) $(test_tools)

# For scripts that call the compiler or a checker themselves.
print-flags:
	@echo $(CPPFLAGS) $(CFLAGS)

print-libraries:
	@echo $(LDLIBS)

model: ## train the built-in model again from public packages
	$(Q)scripts/train/train

lint: ## layers, headers alone, exports, banned functions, clang-tidy, cppcheck, duplicated includes
	$(Q)scripts/lint

format: ## clang-format over the tree
	$(Q)clang-format -i include/*.h src/*/*.[ch] tests/*/*.[ch]

install: all ## install under PREFIX=/usr/local
	install -D -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/corpusfs
	install -D -m 755 contrib/mount.corpusfs $(DESTDIR)$(SBINDIR)/mount.corpusfs
	sed -i 's|^exec corpusfs|exec $(PREFIX)/bin/corpusfs|' $(DESTDIR)$(SBINDIR)/mount.corpusfs
	install -D -m 644 docs/corpusfs.1 $(DESTDIR)$(PREFIX)/share/man/man1/corpusfs.1

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/corpusfs $(DESTDIR)$(SBINDIR)/mount.corpusfs $(DESTDIR)$(PREFIX)/share/man/man1/corpusfs.1

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24
	@echo "  variables: CC=clang  DEVELOPER=1 (warnings are errors)  SANITIZE=address,undefined or thread  V=1"

.PHONY: all unit check-quick check soak torture fuzz bench bench-large bench-programs test-programs print-flags print-libraries model lint format install uninstall clean help
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
