using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Net;

/// <summary>What <see cref="SinkRole"/> is to do.</summary>
internal sealed record SinkOptions
{
    /// <summary>Ends after so many frames of a blast; 0: no end.</summary>
    public long Count { get; init; }

    /// <summary>Ends after so long; zero: no end.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Bytes of the largest frame.</summary>
    public int LargestFrame { get; init; } = TestFrame.MaxBytes;

    /// <summary>Entries of the queues.</summary>
    public int QueueSize { get; init; } = 256;

    /// <summary>Whether payloads are checked.</summary>
    public bool CheckPayload { get; init; } = true;

    /// <summary>Looks for frames all the time rather than sleep.</summary>
    public bool Poll { get; init; }
}

/// <summary>Takes the frames of a blast, counts and checks them; sends back those of a ping.</summary>
internal sealed class SinkRole(SinkOptions options, TimeProvider time) : IRole
{
    private const int Burst = 64;

    private readonly long _began = time.GetTimestamp();
    private PairDriver? _driver;
    private uint _run;
    private ulong _next;
    private long _first;
    private long _last;

    /// <summary>Frames of a blast that came as they were sent.</summary>
    public long Received { get; private set; }

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>Frames of a blast that never came: gaps in the sequence.</summary>
    public long Missing { get; private set; }

    /// <summary>Frames that came after a later one, or twice.</summary>
    public long OutOfOrder { get; private set; }

    /// <summary>Frames whose bytes are not those sent.</summary>
    public long Corrupt { get; private set; }

    /// <summary>Frames that are none of ours.</summary>
    public long Foreign { get; private set; }

    /// <summary>Pings sent back.</summary>
    public long Echoed { get; private set; }

    /// <summary>Pings not sent back, for want of room.</summary>
    public long NotEchoed { get; private set; }

    /// <summary>From the first frame of a blast to the last.</summary>
    public TimeSpan Elapsed => time.GetElapsedTime(_first, _last);

    /// <inheritdoc/>
    public bool IsDone => (options.Count > 0 && Received >= options.Count) || (options.Duration > TimeSpan.Zero && Left <= TimeSpan.Zero);

    private TimeSpan Left => options.Duration - time.GetElapsedTime(_began);

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _driver = new PairDriver(device, options.LargestFrame, options.QueueSize);
        if (options.Poll)
            _driver.Disarm();
    }

    /// <inheritdoc/>
    public bool Work()
    {
        _driver!.Reclaim();
        int count = 0;
        for (; count < Burst && _driver.TryReceive(out var packet); count++)
            Take(packet[NetHeader.Bytes..]);
        if (count == 0)
            return options.Poll;
        _driver.FlushReceive();
        _driver.FlushTransmit();
        long now = time.GetTimestamp();
        _first = _first == 0 ? now : _first;
        _last = now;
        return true;
    }

    /// <inheritdoc/>
    public int Arm() =>
        _driver!.ArmReceive() ? 0 : options.Duration > TimeSpan.Zero ? Math.Max(1, (int)Math.Ceiling(Left.TotalMilliseconds)) : -1;

    /// <inheritdoc/>
    public void Stop() => _driver = null;

    private void Take(Span<byte> frame)
    {
        if (!TestFrame.IsOne(frame))
            Foreign++;
        else if (!TestFrame.TryRead(frame, options.CheckPayload, out var read))
            Corrupt++;
        else if (read.Kind == FrameKind.EchoRequest)
            Echo(frame, read);
        else if (read.Kind == FrameKind.Data)
            Count(frame.Length, read);
    }

    private void Count(int bytes, in TestFrame frame)
    {
        if (frame.Run != _run)
            (_run, _next) = (frame.Run, 0);
        Received++;
        Bytes += bytes;
        if (frame.Sequence < _next)
        {
            OutOfOrder++;
            return;
        }
        Missing += (long)(frame.Sequence - _next);
        _next = frame.Sequence + 1;
    }

    private void Echo(ReadOnlySpan<byte> frame, in TestFrame request)
    {
        if (!_driver!.TryTake(out int slot, out var packet))
        {
            NotEchoed++;
            return;
        }
        var reply = packet.Slice(NetHeader.Bytes, frame.Length);
        frame.CopyTo(reply);
        (request with { Kind = FrameKind.EchoReply }).Write(reply);
        _driver.Send(slot, NetHeader.Bytes + frame.Length);
        Echoed++;
    }
}
