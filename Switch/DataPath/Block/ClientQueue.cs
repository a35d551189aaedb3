using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Queues;

namespace InterGuest.Switch.DataPath.Block;

/// <summary>
/// The requests of one virtqueue of a client that are on their way, by their heads. Lives as long as the ring does, through
/// pauses. Belongs to the loop while the ring is joined, else to the control thread.
/// </summary>
internal sealed class ClientQueue : IDisposable
{
    private readonly Flight?[] _flights;

    // Heads with parts to be sent, in the order of their requests: a ring.
    private readonly ushort[] _waiting;
    private int _waitingFirst;
    private SplitQueue? _loadedFrom;

    public ClientQueue(BlockClient client, ushort index, int size)
    {
        (Client, Index) = (client, index);
        _flights = new Flight?[size];
        _waiting = new ushort[size];
    }

    public BlockClient Client { get; }

    /// <summary>Of the ring, in its device.</summary>
    public ushort Index { get; }

    public int Size => _flights.Length;

    /// <summary>Requests on their way.</summary>
    public int Count { get; private set; }

    /// <summary>Requests with parts to be sent.</summary>
    public int Waiting { get; private set; }

    /// <summary>Where we note what we have; null: nowhere.</summary>
    public InflightQueue? Notes { get; set; }

    /// <summary>The ring while it is joined.</summary>
    public QueueEnd? End { get; set; }

    /// <summary>Whether something was given back and not yet published.</summary>
    public bool IsDirty { get; set; }

    /// <summary>The epoch in which requests were sent last; null: none were.</summary>
    public uint? Epoch { get; set; }

    /// <summary>The join that serves the ring; null: none does.</summary>
    public RequestJoin? Join { get; set; }

    /// <summary>Requests that a switch before us had taken: to be taken again before any other.</summary>
    public Queue<ushort> Recovered { get; } = new();

    /// <summary>Takes no more requests: the front-end wants the ring to stop.</summary>
    public bool IsDraining { get; set; }

    /// <summary>Whether there is a time at which those on their way fail. The control thread's own.</summary>
    public bool IsGivingUp { get; set; }

    /// <summary>Called when it drains and the last request is done.</summary>
    public Action? Drained { get; set; }

    /// <summary>Whether no request is on its way.</summary>
    public bool IsIdle => Count == 0 && Recovered.Count == 0;

    /// <summary>The request with that head; made on its first use.</summary>
    public Flight this[ushort head] => _flights[head] ??= new Flight(head);

    public IEnumerable<Flight> Flights => _flights.Where(f => f is { InUse: true })!;

    /// <summary>Walks the chains of all requests on their way again, if that is another ring than last time: its memory may be elsewhere.</summary>
    public void Load(SplitQueue ring)
    {
        if (ReferenceEquals(ring, _loadedFrom))
            return;
        _loadedFrom = ring;
        foreach (var flight in Flights)
        {
            var (readable, writable) = (flight.Chain.ReadableBytes, flight.Chain.WritableBytes);
            flight.IsSpoilt = ring.Retake(flight.Head, flight.Chain) != PopResult.Chain
                || (readable, writable) != (flight.Chain.ReadableBytes, flight.Chain.WritableBytes);
        }
    }

    /// <summary>A request is on its way.</summary>
    /// <param name="flight">Which.</param>
    /// <param name="isNew">Whether it is to be noted: it was not when the switch began.</param>
    public void Begun(Flight flight, bool isNew = true)
    {
        Count++;
        Client.Counters.Taken(1);
        if (isNew)
            Notes?.Taken(flight.Head);
    }

    /// <summary>A request waits to be sent, behind those that do so already.</summary>
    public void Wait(Flight flight) => _waiting[(_waitingFirst + Waiting++) % Size] = flight.Head;

    /// <summary>The first that waits.</summary>
    public Flight FirstWaiting => this[_waiting[_waitingFirst]];

    /// <summary>The first that waits does so no more.</summary>
    public void StopWaiting()
    {
        _waitingFirst = (_waitingFirst + 1) % Size;
        Waiting--;
    }

    /// <summary>
    /// Everything waits again, oldest first: there is another server, or another epoch of it. What is more than that one takes
    /// fails.
    /// </summary>
    /// <param name="maxData">Most bytes of a part.</param>
    public void RequeueAll(uint maxData)
    {
        Waiting = 0;
        foreach (var flight in Flights.OrderBy(f => f.Sequence).ToArray())
        {
            if (flight.Cut(maxData))
            {
                Wait(flight);
                continue;
            }
            Client.Counters.Count(BlockFault.RequestTooLarge);
            Completion.End(this, flight, BlockStatus.IoError);
        }
    }

    /// <summary>Ends a request: it is given back with so many bytes written.</summary>
    public void Finish(Flight flight, uint written)
    {
        Notes?.Used(flight.Head);
        End!.Queue.AddUsed(flight.Chain.Ticket, written);
        Forget(flight);
        IsDirty = true;
    }

    /// <summary>Shows the driver what was given back.</summary>
    public void Publish()
    {
        if (!IsDirty)
            return;
        IsDirty = false;
        End!.Publish();
        Notes?.Published(((SplitQueue)End.Queue).UsedIndex);
        if (!IsIdle || Drained is not { } drained)
            return;
        Drained = null;
        drained();
    }

    /// <summary>The request that a tag of this epoch names, if the server has that part of it.</summary>
    public Flight? Find(BlockTag tag) =>
        tag.Epoch == Epoch && tag.Head < Size && _flights[tag.Head] is { InUse: true } flight && flight.Generation == tag.Generation && flight.IsOut(tag.Part)
            ? flight
            : null;

    /// <summary>Lets go of what waits and is over.</summary>
    public void ForgetWaiting()
    {
        int waiting = Waiting;
        for (int i = 0; i < waiting; i++)
        {
            var flight = FirstWaiting;
            StopWaiting();
            if (flight is { InUse: true } && flight.Unsent != 0)
                Wait(flight);
        }
    }

    /// <summary>Ends all requests with an error.</summary>
    /// <param name="ring">The ring, for those that were not taken again yet.</param>
    public void FailAll(SplitQueue ring)
    {
        Load(ring);
        foreach (var flight in Flights.ToArray())
            Completion.End(this, flight, BlockStatus.IoError);
        Waiting = 0;
        while (Recovered.TryDequeue(out ushort head))
        {
            var flight = this[head];
            flight.Begin(new Chain(), 0).Dispose();
            Begun(flight, isNew: false);
            flight.IsSpoilt = ring.Retake(head, flight.Chain) != PopResult.Chain || flight.Chain.WritableBytes is 0 or > RequestReader.MaxBytes;
            Completion.End(this, flight, BlockStatus.IoError);
        }
        Publish();
    }

    /// <summary>The ring has gone, with all its requests.</summary>
    public void Clear()
    {
        foreach (var flight in Flights)
        {
            Client.Ended(this, flight);
            flight.End();
        }
        Client.Counters.Taken(-Count);
        Recovered.Clear();
        _loadedFrom = null;
        (Count, Waiting, IsDirty, IsDraining, End, Notes, Drained) = (0, 0, false, false, null, null, null);
    }

    public void Dispose()
    {
        Clear();
        foreach (var flight in _flights)
            flight?.Dispose();
    }

    private void Forget(Flight flight)
    {
        Client.Ended(this, flight);
        flight.End();
        Count--;
        Client.Counters.Taken(-1);
    }
}
