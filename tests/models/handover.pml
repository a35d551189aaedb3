/*
 * Is anything lost when a ring goes from one loop thread to another while its guest kicks? (EventLoop.Add, EventLoop.Remove,
 * LoopThread.Post and Invoke, Wiring.Pause and Resume.)
 *
 * The control thread gives a loop the work of letting the ring go, waits until that is done, and gives another loop (or the
 * same) the work of taking it. A loop sleeps in epoll: an edge wakes it once. The kick's eventfd is never read, so that
 * adding it where it has a count is an edge, too. An event may have been fetched before the ring was let go.
 *
 * Errors:  NO_WAIT        the control thread does not wait until the ring is let go
 *          NO_FIRST_LOOK  a loop that takes a ring waits for a kick before it looks
 *          WAKE_FIRST     a loop is woken before the work is in its queue
 *          NO_CHECK       a fetched kick is believed although the ring has been let go
 */
#define LOOPS 2
#define FRAMES 3
#define MOVES 3
#define NOBODY 255

#define LET_GO 1
#define TAKE 2

byte available, seen;       /* frames that the guest sent, and those that were taken */
bool kicksWanted = true;
bool everKicked;            /* the eventfd's count is above zero, for ever */

bool watched[LOOPS];        /* the kick is in the loop's epoll */
bool kickEdge[LOOPS], wakeEdge[LOOPS];
byte work[LOOPS];           /* what the control thread gave */
bool done;
byte owner = NOBODY;
byte movesLeft = MOVES;

inline give(loop, what) {
    done = false;
#ifdef WAKE_FIRST
    wakeEdge[loop] = true;
    work[loop] = what;
#else
    work[loop] = what;
    wakeEdge[loop] = true;
#endif
}

active proctype Guest()
{
    do
    :: available < FRAMES ->
        available++;
        if
        :: kicksWanted ->
            atomic {
                everKicked = true;
                if :: watched[0] -> kickEdge[0] = true :: else fi;
                if :: watched[1] -> kickEdge[1] = true :: else fi
            }
        :: else
        fi
    :: else -> break
    od
}

active [LOOPS] proctype Loop()
{
    bool active_, fetchedKick, fetchedWake;
    byte me = _pid - 1;
end_asleep:
    do
    :: atomic { (active_ || kickEdge[me] || wakeEdge[me]) ->
            /* one epoll_wait: all edges there are */
            fetchedKick = kickEdge[me]; fetchedWake = wakeEdge[me];
            kickEdge[me] = false; wakeEdge[me] = false };
        if
        :: fetchedWake ->
            if
            :: work[me] == LET_GO ->
                active_ = false;
                watched[me] = false;
                kickEdge[me] = false;
                owner = NOBODY;
                work[me] = 0;
                done = true
            :: work[me] == TAKE ->
                assert(owner == NOBODY);
                owner = me;
                atomic { watched[me] = true; kickEdge[me] = everKicked };
#ifndef NO_FIRST_LOOK
                active_ = true;
                kicksWanted = false;
#endif
                work[me] = 0;
                done = true
            :: else
            fi
        :: else
        fi;
        if
#ifdef NO_CHECK
        :: fetchedKick -> active_ = true
#else
        :: fetchedKick && watched[me] -> active_ = true; kicksWanted = false
#endif
        :: else
        fi;
        fetchedKick = false; fetchedWake = false;
        if
        :: active_ ->
            /* a turn: nobody else may touch the ring meanwhile */
            assert(owner == me);
            if
            :: available > seen -> seen++
            :: else ->
                kicksWanted = true;
                if
                :: available > seen     /* came meanwhile, perhaps without a kick */
                :: else -> active_ = false
                fi
            fi;
            assert(owner == me)
        :: else
        fi
    od
}

active proctype Control()
{
    byte from, to = 0;
    give(to, TAKE);
    done;
    do
    :: movesLeft > 0 ->
        from = to;
        if :: to = 0 :: to = 1 fi;
        give(from, LET_GO);
#ifndef NO_WAIT
        done;
#endif
        if
        :: everKicked = false   /* SET_VRING_KICK: another eventfd, with a count of zero */
        :: true
        fi;
        give(to, TAKE);
        done;
        movesLeft--
    :: else -> break
    od
}

/* Nothing moves any more: then every frame is taken and every move is done. */
active proctype Watch()
{
    timeout -> assert(seen == FRAMES && movesLeft == 0 && done)
}
