using System.Collections.Concurrent;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Block;

/// <summary>
/// A client of a block device, for any thread: <see cref="DoAsync"/>. What was in flight when the device was lost is asked
/// again when it returns, oldest first; nobody who waits hears of it.
/// </summary>
/// <param name="wake">Ends the wait of the role's loop.</param>
internal sealed class AttachBlockRole(Action wake) : IRole
{
    /// <summary>Most data of a request.</summary>
    public const int MaxData = 256 << 10;

    /// <summary>Requests in flight.</summary>
    public const int Slots = 128;

    private readonly ConcurrentQueue<BlockOrder> _orders = new();
    private readonly TaskCompletionSource<BlockGeometry> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _endLock = new();
    private readonly SortedDictionary<long, BlockOrder> _inFlight = [];
    private readonly long[] _numbers = new long[Slots];
    private Queue<BlockOrder> _again = new();
    private DriverDevice? _device;
    private BlockDriver? _driver;
    private long _next;
    private int _sleeping;
    private bool _ended;

    /// <summary>Done when there is a disk.</summary>
    public Task<BlockGeometry> Ready => _ready.Task;

    /// <summary>What the disk is now.</summary>
    public BlockGeometry Geometry { get; private set; }

    /// <inheritdoc/>
    public bool IsDone => false;

    /// <inheritdoc/>
    public ulong Wanted => BlockDriver.Wanted;

    /// <summary>Does something, however long it takes. From any thread.</summary>
    public Task<BlockStatus> DoAsync(BlockOrder order)
    {
        lock (_endLock)
        {
            if (_ended)
                order.Fail();
            else
                _orders.Enqueue(order);
        }
        if (Interlocked.Exchange(ref _sleeping, 0) == 1)
            wake();
        return order.Done;
    }

    /// <inheritdoc/>
    public void Start(DriverDevice device)
    {
        _driver = new BlockDriver(device, Slots, MaxData);
        _device = device;
        LookAtGeometry();
    }

    /// <inheritdoc/>
    public bool Work()
    {
        bool worked = false;
        for (; _driver!.TryComplete(out int slot, out var status); worked = true)
            Complete(slot, status);
        for (; _driver.HasRoom && (_again.TryDequeue(out var order) || _orders.TryDequeue(out order)); worked = true)
            Send(order);
        _driver.Flush();
        if (_device!.ConfigurationChanged)
            LookAtGeometry();
        return worked;
    }

    /// <inheritdoc/>
    public int Arm()
    {
        Interlocked.Exchange(ref _sleeping, 1);
        return _driver!.Arm() || (_driver.HasRoom && !_orders.IsEmpty) ? 0 : -1;
    }

    /// <inheritdoc/>
    public void Stop()
    {
        (_device, _driver) = (null, null);
        _again = new Queue<BlockOrder>([.. _inFlight.Values, .. _again]);
        _inFlight.Clear();
    }

    /// <summary>Fails what still waits, when there will be no device any more. After the role's loop has ended.</summary>
    public void End()
    {
        lock (_endLock)
            _ended = true;
        while (_again.TryDequeue(out var order) || _orders.TryDequeue(out order))
            order.Fail();
        _ready.TrySetCanceled();
    }

    private void Send(BlockOrder order)
    {
        int slot = order.Send(_driver!);
        _numbers[slot] = _next;
        _inFlight.Add(_next++, order);
    }

    private void Complete(int slot, BlockStatus status)
    {
        _inFlight.Remove(_numbers[slot], out var order);
        order!.Complete(_driver!, slot, status);
        _driver!.Free(slot);
    }

    private void LookAtGeometry()
    {
        _device!.ConfigurationChanged = false;
        Geometry = _driver!.ReadGeometry();
        if (Geometry.Bytes > 0)
            _ready.TrySetResult(Geometry);
    }
}
