namespace InterGuest.Switch.Ports;

/// <summary>
/// How much a port's front-end may say: a burst, and then so many messages a second. Every message takes the port's rings
/// out of the data path and puts them back, on the thread that serves all ports. On the control thread alone.
/// </summary>
/// <remarks>
/// A VMM says about 12 messages a ring, in one go, at each start of its guest's driver, and half a dozen more when it
/// connects (notes of QEMU 7.2 and 10, DPDK 22.11): the burst is many starts at once. Afterwards it says a few in a minute.
/// </remarks>
internal sealed class MessageBudget(TimeProvider time, int rings)
{
    private const double PerSecond = 500, SecondsOfBurst = 4, MessagesPerRing = 100;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly double _burst = PerSecond * SecondsOfBurst + MessagesPerRing * rings;
    private double _left = PerSecond * SecondsOfBurst + MessagesPerRing * rings;
    private long _last = time.GetTimestamp();

    /// <summary>Notes that so many messages were handled.</summary>
    /// <returns>How long to leave those that follow; null: they are welcome.</returns>
    public TimeSpan? Spend(long messages)
    {
        long now = time.GetTimestamp();
        _left = Math.Min(_burst, _left + time.GetElapsedTime(_last, now).TotalSeconds * PerSecond) - messages;
        _last = now;
        return _left >= 0 ? null : Pause;
    }
}
