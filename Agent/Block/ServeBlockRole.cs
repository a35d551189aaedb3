using System.Collections.Concurrent;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Block;

/// <summary>How a disk is served.</summary>
internal sealed record ServeBlockOptions
{
    /// <summary>Requests that may be taken at once.</summary>
    public int Slots { get; init; } = 128;

    /// <summary>Bytes of data of a request: whole pages.</summary>
    public int MaxData { get; init; } = 512 << 10;

    /// <summary>Threads that wait for the medium.</summary>
    public int Threads { get; init; } = 16;
}

/// <summary>
/// The serving side of docs/block-serving.md. The role's thread has the queues; a <see cref="Crew"/> waits for the medium, and
/// an <see cref="AsyncCrew"/> for plain reads and writes past the page cache, if there are to be such.
/// </summary>
internal sealed class ServeBlockRole : IRole, IDisposable
{
    private const int Burst = 64;

    private static readonly TimeSpan SizeLooks = TimeSpan.FromSeconds(1);

    private readonly ServeBlockOptions _options;
    private readonly Disk _disk;
    private readonly TimeProvider _time;
    private readonly AgentLog _log;
    private readonly Crew _crew;
    private readonly AsyncCrew? _async;
    private readonly ConcurrentQueue<int> _completed = new();
    private readonly BlockServingRequest[] _requests;
    private readonly BlockStatus[] _statuses;
    private DriverDevice? _device;
    private ServingDriver? _driver;
    private BlockAnnouncement? _announced;
    private uint? _epoch;
    private bool _mustAnnounce;
    private long _lookedAt;
    private int _sleeping;

    /// <summary>Serves a disk on every device that it is started on.</summary>
    public ServeBlockRole(ServeBlockOptions options, Disk disk, TimeProvider time, AgentLog log)
    {
        (_options, _disk, _time, _log) = (options, disk, time, log);
        _requests = new BlockServingRequest[options.Slots];
        _statuses = new BlockStatus[options.Slots];
        _crew = new Crew(options.Threads, Serve);
        if (disk.TryOpenAsync(options.Slots) is { } image)
            _async = new AsyncCrew(image, OnOver, _crew.Add);
    }

    /// <summary>Requests that were answered.</summary>
    public long Served { get; private set; }

    /// <summary>Requests that were answered with an error.</summary>
    public long Failed { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => false;

    /// <inheritdoc/>
    public ulong Wanted => ServingDriver.Wanted;

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _device = device;
        _driver = new ServingDriver(device, _options.Slots, _options.MaxData);
    }

    /// <inheritdoc/>
    public bool Work()
    {
        bool worked = _driver!.Reclaim();
        for (; _completed.TryDequeue(out int slot); worked = true)
            Reply(slot, _statuses[slot]);
        for (int i = 0; i < Burst && _driver.TryReceive(out int slot, out int bytes); i++, worked = true)
            Take(slot, bytes);
        _async?.Flush();
        LookAtSize();
        if (_mustAnnounce)
            Announce();
        _driver.Flush();
        return worked;
    }

    /// <inheritdoc/>
    public int Arm()
    {
        Interlocked.Exchange(ref _sleeping, 1);
        return _driver!.Arm() || !_completed.IsEmpty ? 0 : (int)SizeLooks.TotalMilliseconds;
    }

    /// <inheritdoc/>
    public void Stop()
    {
        // Nothing may touch the buffers once the next device has them, nor the medium before the next epoch is announced.
        Abandon();
        _completed.Clear();
        (_device, _driver, _epoch, _mustAnnounce) = (null, null, null, false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _async?.Dispose();
        _crew.Dispose();
    }

    private void Take(int slot, int bytes)
    {
        var header = _driver!.Header(slot);
        var message = bytes >= BlockMessage.Bytes ? BlockMessage.Parse(header) : default;
        switch (message.Type)
        {
            case BlockMessageType.Start when BlockServingStart.TryParse(message, header[..Math.Min(bytes, header.Length)], out var start):
                Begin(start);
                _driver.Post(slot);
                break;
            case BlockMessageType.Request when message.Tag.Epoch == _epoch:
                Take(slot, bytes, message);
                break;
            default:
                _driver.Post(slot); // of an epoch that has ended, or a message of a later version of the protocol
                break;
        }
    }

    private void Take(int slot, int bytes, in BlockMessage message)
    {
        if (!BlockServingRequest.TryParse(message, _driver!.Header(slot), out var request)
            || (ulong)message.HeaderBytes + message.DataBytes > (ulong)bytes || request.RangeBytes > MaxBytes(request.Operation))
        {
            Reply(slot, request with { Tag = message.Tag }, BlockStatus.IoError);
            return;
        }
        // What a later version puts between header and data is skipped, so that the data lie as direct I/O wants them.
        int more = message.HeaderBytes - BlockServingRequest.Bytes;
        if (more > 0 && message.DataBytes > 0)
            _driver.Data(slot, more + (int)message.DataBytes)[more..].CopyTo(_driver.Data(slot, (int)message.DataBytes));
        _requests[slot] = request;
        if (_async != null && _disk.IsPlain(request, out long offset))
            _async.Add(slot, request.Operation == BlockOperation.Out, _driver.Data(slot, (int)request.RangeBytes), offset);
        else
            _crew.Add(slot);
    }

    private ulong MaxBytes(BlockOperation operation) =>
        operation is BlockOperation.In or BlockOperation.Out ? (ulong)_options.MaxData : ulong.MaxValue;

    /// <summary>In one of the crew's threads: asks the medium.</summary>
    private void Serve(int slot)
    {
        var request = _requests[slot];
        bool hasData = request.Operation is BlockOperation.In or BlockOperation.Out;
        Complete(slot, _disk.Do(request, hasData ? _driver!.Data(slot, (int)request.RangeBytes) : []));
    }

    /// <summary>In the thread of <see cref="AsyncCrew"/>. What did not end well is done again, by who knows what to make of it.</summary>
    private void OnOver(ImageCompletion done)
    {
        if (done.Result == (long)_requests[done.Number].RangeBytes)
            Complete(done.Number, BlockStatus.Ok);
        else
            _crew.Add(done.Number);
    }

    private void Complete(int slot, BlockStatus status)
    {
        _statuses[slot] = status;
        _completed.Enqueue(slot);
        if (Interlocked.Exchange(ref _sleeping, 0) == 1)
            _device!.Wake();
    }

    private void Reply(int slot, BlockStatus status) => Reply(slot, _requests[slot], status);

    private void Reply(int slot, in BlockServingRequest request, BlockStatus status)
    {
        bool hasData = request.Operation == BlockOperation.In && status == BlockStatus.Ok;
        _driver!.Reply(slot, new BlockServingReply(request.Tag, (uint)status, hasData ? (uint)request.RangeBytes : 0));
        Served++;
        Failed += status == BlockStatus.Ok ? 0 : 1;
    }

    /// <summary>Begins an epoch: nothing of an earlier one reaches the medium any more (section 4).</summary>
    private void Begin(in BlockServingStart start)
    {
        foreach (int slot in Abandon())
            _driver!.Post(slot);
        for (; _completed.TryDequeue(out int slot);)
            _driver!.Post(slot);
        _epoch = start.Epoch;
        _announced = _disk.Announce(_options.MaxData);
        bool spoken = start.OldestVersion <= BlockServingStart.Version && BlockServingStart.Version <= start.NewestVersion;
        if (!spoken)
        {
            _log.Say($"the switch speaks versions {start.OldestVersion} to {start.NewestVersion} of the block-serving protocol, and this agent {BlockServingStart.Version}: update the older one");
            _announced = _announced with { Version = 0 };
        }
        _mustAnnounce = true;
    }

    /// <summary>Waits for what has begun.</summary>
    /// <returns>What has not.</returns>
    private IReadOnlyList<int> Abandon()
    {
        _async?.WaitUntilIdle();
        return _crew.Abandon();
    }

    private void Announce() => _mustAnnounce = !_driver!.TryAnnounce(_epoch!.Value, _announced!);

    /// <summary>An image that has grown is announced anew. One that has shrunk would take from clients what they use.</summary>
    private void LookAtSize()
    {
        if (_epoch == null || _time.GetElapsedTime(_lookedAt) < SizeLooks)
            return;
        _lookedAt = _time.GetTimestamp();
        ulong capacity = _disk.Measure();
        if (capacity == _announced!.Capacity)
            return;
        if (capacity < _announced.Capacity)
        {
            _log.Say($"the image has shrunk from {_announced.Capacity} to {capacity} sectors: clients are not told, and get I/O errors behind its end. Make it as large as it was");
            _announced = _announced with { Capacity = capacity };
            return;
        }
        _announced = _disk.Announce(_options.MaxData);
        _mustAnnounce = true;
        _log.Say($"the image has {capacity} sectors now");
    }
}
