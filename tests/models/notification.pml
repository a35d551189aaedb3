/*
 * Does a kick or a call get lost? (VIRTIO 1.2, 2.7.7, 2.7.10, 2.7.13.4.1, 2.7.14.)
 *
 * A driver and a device on two processors, whose stores may become visible after their later loads, as on x86-64. The
 * driver makes buffers available and sleeps when the queue is full; the device uses them and sleeps when there are none.
 * Each says whether it wants to be woken, publishes, and looks at the other's wish: SplitQueue.EnableKicks, DisableKicks
 * and PublishUsed on one side, DriverQueue.Publish and EnableCalls on the other.
 *
 * Variant:  EVENT_IDX          wishes are indices (2.7.10), not flags
 * Errors:   NO_RECHECK         the device sleeps without a second look after it asked for a kick
 *           NO_DRIVER_RECHECK  the driver sleeps without a second look after it asked for a call
 *           NO_FENCE           no fence between asking for a kick and the second look
 *           NO_PUBLISH_FENCE   no fence between publishing used buffers and reading the driver's wish
 *           LATE_EVENT         the index asked for is one too far (with EVENT_IDX)
 */
#define SIZE 2      /* entries of the queue */
#define MODULUS 8   /* of indices */
#define TOTAL 10    /* buffers: enough for indices to wrap */

#define AHEAD(a, b) (((a) + MODULUS - (b)) % MODULUS)
/* Whether going from `before` to `now` passed the index asked for. */
#define NEEDS_EVENT(asked, now, before) (AHEAD(now, ((asked) + 1) % MODULUS) < AHEAD(now, before))

/* The words in memory: the two indices, and the two wishes (1: do not wake me; or an index). */
#define AVAILABLE 0
#define CALL_WISH 1
#define USED 2
#define KICK_WISH 3
byte memory[4];

/* What a processor has stored and others do not see yet: a queue of words and values for each. */
chan driverStores = [4] of { byte, byte };
chan deviceStores = [4] of { byte, byte };

bool kicked, called;            /* eventfds with a count above zero */
byte made, taken, given, got;   /* buffers: made available, taken and given back by the device, taken back */

#define FENCE(stores) empty(stores)

active proctype Visibility()
{
    byte word, value;
end:
    do
    :: atomic { driverStores ? word, value -> memory[word] = value; word = 0; value = 0 }
    :: atomic { deviceStores ? word, value -> memory[word] = value; word = 0; value = 0 }
    od
}

active proctype Driver()
{
    byte published, before, asked;
    do
    :: made < TOTAL && made - got < SIZE ->
        before = made % MODULUS;
        made++;
        if                          /* one buffer at a time, or two */
        :: made < TOTAL && made - got < SIZE -> made++
        :: true
        fi;
        published = made % MODULUS;
        driverStores ! AVAILABLE, published;
        FENCE(driverStores);
        asked = memory[KICK_WISH];
        if
#ifdef EVENT_IDX
        :: NEEDS_EVENT(asked, published, before) -> kicked = true
#else
        :: asked == 0 -> kicked = true
#endif
        :: else
        fi
    :: memory[USED] != got % MODULUS -> got++
    :: (made == TOTAL || made - got == SIZE) && memory[USED] == got % MODULUS && got < TOTAL ->
        /* EnableCalls */
#ifdef EVENT_IDX
        driverStores ! CALL_WISH, got % MODULUS;
#else
        driverStores ! CALL_WISH, 0;
#endif
        FENCE(driverStores);
#ifndef NO_DRIVER_RECHECK
        if
        :: memory[USED] == got % MODULUS ->
#endif
end_asleep: called; called = false;
#ifndef NO_DRIVER_RECHECK
        :: else
        fi;
#endif
#ifndef EVENT_IDX
        driverStores ! CALL_WISH, 1
#endif
    :: got == TOTAL -> break
    od
}

active proctype Device()
{
    byte known, published, before, asked;
    bool everCalled;
work:
    do
    :: known != taken % MODULUS ->
        taken++;
        given++;
        if                          /* one at a time, or all that are known */
        :: known != taken % MODULUS -> taken++; given++
        :: true
        fi;
        /* PublishUsed */
        deviceStores ! USED, given % MODULUS;
#ifndef NO_PUBLISH_FENCE
        FENCE(deviceStores);
#endif
        asked = memory[CALL_WISH];
        if
#ifdef EVENT_IDX
        :: !everCalled || NEEDS_EVENT(asked, given % MODULUS, before) -> called = true
#else
        :: asked == 0 -> called = true
#endif
        :: else
        fi;
        before = given % MODULUS;
        everCalled = true
    :: known == taken % MODULUS && memory[AVAILABLE] != known ->
        known = memory[AVAILABLE]
    :: known == taken % MODULUS && memory[AVAILABLE] == known ->
        /* EnableKicks */
#ifdef EVENT_IDX
#ifdef LATE_EVENT
        deviceStores ! KICK_WISH, (known + 1) % MODULUS;
#else
        deviceStores ! KICK_WISH, known;
#endif
#else
        deviceStores ! KICK_WISH, 0;
#endif
#ifndef NO_FENCE
        FENCE(deviceStores);
#endif
#ifndef NO_RECHECK
        if
        :: memory[AVAILABLE] != known -> goto work
        :: else
        fi;
#endif
end_asleep: kicked; kicked = false;
        /* DisableKicks */
#ifndef EVENT_IDX
        deviceStores ! KICK_WISH, 1
#endif
    od
}

/* Nothing moves any more: then all must be done. */
active proctype Watch()
{
    timeout -> assert(got == TOTAL)
}
