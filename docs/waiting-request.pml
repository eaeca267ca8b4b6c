/* The life of a request that waits: start, share, complete, interrupt, deadline, forget, unmount.
 *
 * A model in Promela of src/mount/request.c over src/corpus/jobs.c, with their names: request states STARTING, WAITING, INTERRUPTED, `refs` and
 * `parked` of a request; job states QUEUED, RUNNING, PUBLISHED; a wait that is `attached` until somebody detaches it. Two requests want one
 * document, which may change once while they wait. Each `atomic` is what the code does under the corpus's lock (or with one atomic
 * operation); everything else interleaves freely.
 *
 * Spin checks in every interleaving:
 *   exactly one reply        reply() asserts that there was none; the monitor waits for one
 *   no lost waiter           the monitor can always end: otherwise spin reports an invalid end state
 *   no use after free        use() asserts that the request is there, then() that its node is
 *
 *     spin -a waiting-request.pml && gcc -O2 -DSAFETY -o pan pan.c && ./pan -m100000
 *
 * A model that cannot fail shows nothing: tests/cases/495-model.sh breaks it in four places and wants to see spin find each. */

#define REQUESTS 2

mtype:request_state = { STARTING, WAITING, REQUEST_INTERRUPTED };
mtype:job_state = { NO_JOB, QUEUED, RUNNING, PUBLISHED };

mtype:request_state state[REQUESTS];
byte refs[REQUESTS];
byte replies[REQUESTS];
bool freed[REQUESTS];
bool parked[REQUESTS];
bool node_forgotten[REQUESTS];
bool fuse_lock[REQUESTS];	/* libfuse's lock of one request */
bool interrupt_set[REQUESTS];	/* fuse_req_interrupt_func was called with a function */
bool attached[REQUESTS];	/* wait->private_data: in the list of the job and of the clock */
bool starter_done[REQUESTS];

mtype:job_state job = NO_JOB;
bool published_is_old;		/* the source changed since */
byte changes = 1;
bool unmounting, unmounted;

inline use(r)
{
	assert(!freed[r])
}

inline put(r)
{
	atomic {
		use(r);
		refs[r]--;
		if
		:: refs[r] == 0 -> freed[r] = true
		:: else
		fi
	}
}

inline reply(r)
{
	atomic {
		use(r);
		assert(replies[r] == 0);
		replies[r]++;
		node_forgotten[r] = true	/* the worst: the kernel forgets the node the moment its request is answered */
	};
	put(r)
}

/* request_complete: by whoever took the wait out of cancel's reach. */
inline complete(r)
{
	use(r);
	atomic { !fuse_lock[r] -> fuse_lock[r] = true };
	interrupt_set[r] = false;
	fuse_lock[r] = false;
	use(r);
	parked[r] = false;	/* list_remove */
	assert(!node_forgotten[r]);	/* then() uses the node */
	reply(r)
}

/* corpus_cancel: true for one of all who try. */
inline cancel(r, taken)
{
	atomic {
		use(r);
		taken = attached[r];
		attached[r] = false
	}
}

/* A libfuse thread: start, corpus_get, started. */
proctype starter(byte r)
{
	bool taken, waits;
	atomic {
		refs[r] = 2;	/* the answer's and the starter's */
		state[r] = STARTING
	};
	parked[r] = true;	/* list_add */
	atomic { !fuse_lock[r] -> interrupt_set[r] = true };
	atomic {	/* corpus_get, jobs_wait_for */
		if
		:: job == PUBLISHED && !published_is_old -> waits = false
		:: job == PUBLISHED && published_is_old -> waits = true; attached[r] = true
		:: job == NO_JOB -> waits = true; attached[r] = true; job = QUEUED
		:: job == QUEUED || job == RUNNING -> waits = true; attached[r] = true
		fi
	};
	if
	:: !waits -> complete(r)
	:: else ->
		atomic {
			use(r);
			if
			:: state[r] == STARTING -> state[r] = WAITING; taken = false
			:: else -> taken = true
			fi
		};
		if
		:: taken ->
			cancel(r, taken);
			if
			:: taken -> complete(r)
			:: else
			fi
		:: else
		fi
	fi;
	put(r);
	starter_done[r] = true
}

/* The kernel passes on that the reader got a signal: once, or never. On a libfuse thread, so not after these have ended. */
proctype interrupter(byte r)
{
	bool taken;
	if
	:: atomic { interrupt_set[r] && !fuse_lock[r] && !unmounting -> fuse_lock[r] = true };
		atomic {
			use(r);
			if
			:: state[r] == STARTING -> state[r] = REQUEST_INTERRUPTED; taken = true
			:: else -> taken = false
			fi
		};
		if
		:: taken	/* the starter takes the wait back */
		:: else ->
			cancel(r, taken);
			if
			:: taken ->
				parked[r] = false;
				reply(r)
			:: else	/* completion is on its way and answers */
			fi
		fi;
		fuse_lock[r] = false
	:: true	/* never */
	fi
}

/* A job thread. Waits are taken under the lock and answered without it. */
active proctype job_thread()
{
	bool taken[REQUESTS];
	byte r;
end:	do
	:: atomic { job == QUEUED -> job = RUNNING; published_is_old = false };
		atomic {	/* take_waiters */
			job = PUBLISHED;
			for (r : 0 .. REQUESTS - 1) {
				taken[r] = attached[r];
				attached[r] = false
			}
		};
		for (r : 0 .. REQUESTS - 1) {
			if
			:: taken[r] -> complete(r)
			:: else
			fi
		};
		atomic {	/* jobs_committed */
			if
			:: attached[0] || attached[1] -> job = QUEUED	/* somebody came for a newer version */
			:: else -> job = NO_JOB
			fi
		}
	od
}

/* The source changes while a result is on its way to the disk. */
active proctype source()
{
	if
	:: atomic { job == PUBLISHED && changes > 0 -> changes--; published_is_old = true }
	:: true	/* never */
	fi
}

/* The clock: a deadline passes, or never. */
proctype deadline(byte r)
{
	if
	:: atomic { attached[r] -> attached[r] = false };
		complete(r)
	:: true	/* never */
	fi
}

/* requests_end: after the libfuse threads have ended. */
active proctype unmount()
{
	bool taken;
	byte r;
	starter_done[0] && starter_done[1];
	if
	:: true ->
		atomic { !fuse_lock[0] && !fuse_lock[1] -> unmounting = true };
		for (r : 0 .. REQUESTS - 1) {
			if
			:: atomic { parked[r] -> use(r); refs[r]++ };
				cancel(r, taken);
				if
				:: taken -> complete(r)
				:: else
				fi;
				!parked[r];
				put(r)
			:: else
			fi
		}
	:: true	/* it goes on */
	fi;
	unmounted = true
}

active proctype monitor()
{
	replies[0] == 1 && replies[1] == 1;
	freed[0] && freed[1]
}

init {
	byte r;
	atomic {
		for (r : 0 .. REQUESTS - 1) {
			run starter(r);
			run interrupter(r);
			run deadline(r)
		}
	}
}
