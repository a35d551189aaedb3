namespace InterGuest.Switch.Ports;

/// <summary>How much a port's guest may move, so that it leaves something for others.</summary>
/// <param name="Rate">Bits in a second; 0: as many as there can be.</param>
/// <param name="Burst">Bytes that may go at once, after a rest; 0: <see cref="UsualBurst"/>.</param>
/// <param name="InFlight">Of a disk: bytes of requests that its server may have at a time; 0: any.</param>
public sealed record PortLimits(ulong Rate, ulong Burst, ulong InFlight)
{
    /// <summary>The lowest rate: a frame of the longest takes 8 s then.</summary>
    public const ulong MinRate = 64_000;

    /// <summary>The highest rate and the largest number of bytes, beyond what any guest can do.</summary>
    public const ulong MaxRate = 10_000_000_000_000, MaxBytes = 1_000_000_000_000;

    /// <summary>The smallest burst: one frame as it is on a wire.</summary>
    public const ulong MinBurst = 1514;

    private const ulong LongestFrame = 65536, BurstsPerSecond = 100;

    /// <summary>No limits.</summary>
    public static PortLimits None { get; } = new(0, 0, 0);

    /// <summary>What the rate moves in 10 ms, in which a loop is sure to look again, or one frame of the longest.</summary>
    public ulong UsualBurst => Math.Max(LongestFrame, Rate / 8 / BurstsPerSecond);

    /// <summary>The burst that counts.</summary>
    public ulong BurstBytes => Burst == 0 ? UsualBurst : Burst;

    /// <summary>Checks that a port can have them.</summary>
    /// <exception cref="SwitchException">It cannot; the message begins with the field's name.</exception>
    public void Check(PortType type)
    {
        if (Rate is not 0 and (< MinRate or > MaxRate))
            throw Invalid($"rate: {Rate} bit/s is not between {MinRate} and {MaxRate}; 0 is no limit");
        if (Burst is not 0 and (< MinBurst or > MaxBytes))
            throw Invalid($"burst: {Burst} bytes are not between {MinBurst} and {MaxBytes}; 0 is the usual burst");
        if (InFlight > MaxBytes)
            throw Invalid($"in_flight: {InFlight} bytes are more than {MaxBytes}");
        if (Burst != 0 && Rate == 0)
            throw Invalid("burst: without a rate there is no burst. Say the rate, too");
        if (Rate != 0 && type is PortType.BlockServer or PortType.Entropy)
            throw Invalid($"rate: a port of type {type.Word()} has none; limit the port of type {type.Peer().Word()} that it is linked with");
        if (InFlight != 0 && type != PortType.Block)
            throw Invalid($"in_flight: only a port of type {PortType.Block.Word()} has requests in flight, and this is one of type {type.Word()}");
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        string rate = Rate == 0 ? "" : $"a rate of {Rate} bit/s in bursts of {BurstBytes} bytes", inFlight = InFlight == 0 ? "" : $"{InFlight} bytes in flight";
        return this == None ? "no limits" : string.Join(", ", new[] { rate, inFlight }.Where(t => t != ""));
    }

    private static SwitchException Invalid(string why) => new(SwitchError.Invalid, why);
}
