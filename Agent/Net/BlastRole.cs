using System.Security.Cryptography;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Net;

/// <summary>What <see cref="BlastRole"/> is to do.</summary>
internal sealed record BlastOptions
{
    /// <summary>Bytes of a frame.</summary>
    public int Size { get; init; } = 1514;

    /// <summary>Frames; 0: no end.</summary>
    public long Count { get; init; }

    /// <summary>How long; zero: no end.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Frames per second; 0: as many as go.</summary>
    public double Rate { get; init; }

    /// <summary>Entries of the queues.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>Looks for room all the time rather than sleep.</summary>
    public bool Poll { get; init; }
}

/// <summary>Sends frames, as many as go or as are asked for.</summary>
internal sealed class BlastRole(BlastOptions options, TimeProvider time) : IRole
{
    private const int Burst = 32;

    private readonly uint _run = (uint)RandomNumberGenerator.GetInt32(int.MaxValue);
    private readonly byte[] _mac = MacAddress.Random();
    private PairDriver? _driver;
    private bool[] _prepared = [];
    private ulong _sequence;
    private long _began;
    private long _ended;

    /// <summary>Frames that were handed to the device.</summary>
    public long Sent => (long)_sequence;

    /// <summary>Frames that the device gave back: it has taken them, or dropped them.</summary>
    public long Completed { get; private set; }

    /// <summary>Frames that were in flight when a device was lost.</summary>
    public long Abandoned { get; private set; }

    /// <summary>From the first frame to the last.</summary>
    public TimeSpan Elapsed => _began == 0 ? TimeSpan.Zero : time.GetElapsedTime(_began, _ended == 0 ? time.GetTimestamp() : _ended);

    /// <inheritdoc/>
    public bool IsDone => HasSentAll && (_driver == null || _driver.Unsent == 0);

    private bool HasSentAll { get; set; }

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _driver = new PairDriver(device, options.Size, options.QueueSize);
        _prepared = new bool[_driver.Room];
        if (_began == 0)
            _began = time.GetTimestamp();
    }

    /// <inheritdoc/>
    public bool Work()
    {
        int completed = _driver!.Reclaim();
        Completed += completed;
        bool received = false;
        for (; _driver.TryReceive(out _); received = true)
        {
        }
        if (received)
            _driver.FlushReceive();
        int sent = SendBurst();
        if (HasSentAll && _driver.Unsent == 0)
            _ended = time.GetTimestamp();
        return completed + sent > 0 || received || (options.Poll && !IsDone);
    }

    /// <inheritdoc/>
    public int Arm()
    {
        if (_driver!.ArmReceive())
            return 0;
        if ((_driver.Room == 0 || HasSentAll) && _driver.ArmTransmit())
            return 0;
        return _driver.Room == 0 || HasSentAll ? -1 : 1; // room, and yet nothing was sent: the rate forbids it
    }

    /// <inheritdoc/>
    public void Stop()
    {
        Abandoned += _driver?.Unsent ?? 0;
        _driver = null;
    }

    private int SendBurst()
    {
        int allowed = HasSentAll ? 0 : Allowed();
        int sent = 0;
        for (; sent < allowed && _driver!.TryTake(out int slot, out var packet); sent++)
        {
            var frame = packet.Slice(NetHeader.Bytes, options.Size);
            if (!_prepared[slot])
                TestFrame.Prepare(frame, _mac, (uint)slot);
            _prepared[slot] = true;
            new TestFrame(FrameKind.Data, _run, _sequence++, 0).Write(frame);
            _driver.Send(slot, NetHeader.Bytes + frame.Length);
        }
        if (sent > 0)
            _driver!.FlushTransmit();
        return sent;
    }

    /// <summary>How many frames may be sent now; notices when all have been.</summary>
    private int Allowed()
    {
        var elapsed = options.Duration > TimeSpan.Zero || options.Rate > 0 ? time.GetElapsedTime(_began) : TimeSpan.Zero;
        long left = options.Count > 0 ? options.Count - Sent : long.MaxValue;
        HasSentAll = left <= 0 || (options.Duration > TimeSpan.Zero && elapsed >= options.Duration);
        if (HasSentAll)
            return 0;
        long due = options.Rate > 0 ? (long)(elapsed.TotalSeconds * options.Rate) + 1 - Sent : long.MaxValue;
        return (int)Math.Min(Burst, Math.Min(left, due));
    }
}
