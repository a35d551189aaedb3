using System.Security.Cryptography;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Net;

/// <summary>What <see cref="PingRole"/> is to do.</summary>
internal sealed record PingOptions
{
    /// <summary>Requests; 0: until it is told to end.</summary>
    public long Count { get; init; }

    /// <summary>Bytes of a frame.</summary>
    public int Size { get; init; } = TestFrame.MinBytes;

    /// <summary>From one request to the next; zero: as soon as the answer is there.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long an answer may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Looks for answers all the time rather than sleep.</summary>
    public bool Poll { get; init; }
}

/// <summary>Measures how long frames take to a sink and back: one at a time.</summary>
/// <param name="options">What to do.</param>
/// <param name="time">The clock.</param>
/// <param name="answered">Told of each answer: its number, and how long it took.</param>
internal sealed class PingRole(PingOptions options, TimeProvider time, Action<ulong, TimeSpan> answered) : IRole
{
    /// <summary>Entries of the queues.</summary>
    public const int QueueSize = 64;

    private readonly uint _run = (uint)RandomNumberGenerator.GetInt32(int.MaxValue);
    private readonly byte[] _mac = MacAddress.Random();
    private PairDriver? _driver;
    private ulong _sequence;
    private bool _waiting;
    private long _sentAt;

    /// <summary>Round trips so far.</summary>
    public LatencyStatistics Times { get; } = new();

    /// <summary>Requests sent.</summary>
    public long Sent => (long)_sequence;

    /// <summary>Requests without an answer in time.</summary>
    public long Lost { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => options.Count > 0 && Sent >= options.Count && !_waiting;

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _driver = new PairDriver(device, options.Size, QueueSize);
        if (options.Poll)
            _driver.Disarm();
    }

    /// <inheritdoc/>
    public bool Work()
    {
        bool worked = _driver!.Reclaim() > 0 | Receive();
        if (_waiting && time.GetElapsedTime(_sentAt) > options.Timeout)
        {
            Lost++;
            _waiting = false;
            worked = true;
        }
        if (_waiting || IsDone || (Sent > 0 && time.GetElapsedTime(_sentAt) < options.Interval))
            return worked || options.Poll;
        Send();
        return true;
    }

    /// <inheritdoc/>
    public int Arm()
    {
        if (_driver!.ArmReceive())
            return 0;
        var left = (_waiting ? options.Timeout : options.Interval) - time.GetElapsedTime(_sentAt);
        return Math.Max(1, (int)Math.Ceiling(left.TotalMilliseconds));
    }

    /// <inheritdoc/>
    public void Stop()
    {
        _driver = null;
        if (_waiting)
            Lost++;
        _waiting = false;
    }

    private void Send()
    {
        if (!_driver!.TryTake(out int slot, out var packet))
            return;
        var frame = packet.Slice(NetHeader.Bytes, options.Size);
        TestFrame.Prepare(frame, _mac, (uint)_sequence);
        _sentAt = time.GetTimestamp();
        new TestFrame(FrameKind.EchoRequest, _run, _sequence++, _sentAt).Write(frame);
        _driver.Send(slot, NetHeader.Bytes + frame.Length);
        _driver.FlushTransmit();
        _waiting = true;
    }

    private bool Receive()
    {
        bool any = false;
        for (; _driver!.TryReceive(out var packet); any = true)
        {
            var frame = packet[NetHeader.Bytes..];
            if (!_waiting || !TestFrame.IsOne(frame) || !TestFrame.TryRead(frame, true, out var read)
                || read != new TestFrame(FrameKind.EchoReply, _run, _sequence - 1, _sentAt) || frame.Length != options.Size)
                continue;
            var took = time.GetElapsedTime(_sentAt);
            _waiting = false;
            Times.Add(took);
            answered(read.Sequence, took);
        }
        if (any)
            _driver.FlushReceive();
        return any;
    }
}
