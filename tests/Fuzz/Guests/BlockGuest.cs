using InterGuest.Fuzz.Engine;
using InterGuest.Fuzz.Model;
using InterGuest.Switch.DataPath;
using InterGuest.Virtio.Devices;

namespace InterGuest.Fuzz.Guests;

/// <summary>One queue of a client or a server of a disk, with its memory and a driver that does what it likes.</summary>
internal class BlockGuest : IDisposable
{
    private readonly QueuePlace _place;
    private readonly BytesWriter _writer;
    private readonly ulong _features;
    private ushort _offered;
    private int _nextHead;

    public BlockGuest(Arena arena, Input input)
    {
        Input = input;
        _features = Features.Version1 | (input.Chance(70) ? Features.RingIndirectDescriptors : 0) | (input.Chance(50) ? Features.RingEventIndex : 0);
        var plan = new GuestPlan(arena, Apart: true);
        _place = plan.Lay(input, input.Pick(1, 2, 4, 8, 16, 32));
        bool indirect = (_features & Features.RingIndirectDescriptors) != 0;
        _writer = new BytesWriter(plan, _place, indirect) { WrongPercent = input.Pick(0, 1, 4) };
        arena.Store(_place.Available, [0, 0, 0, 0]);
        var queue = QueueUnderTest.TryCreate(arena.Memory, _place.Layout, _place.Size, _features, 0) ?? throw new FuzzException("the queue cannot be made");
        queue.Chain.Dispose();
        End = new QueueEnd(queue.Queue, _features, kick: null, call: null, Counters);
        Model = new ReferenceEnd(arena, new ReferenceQueue(arena, _place, indirect, (_features & Features.RingEventIndex) != 0, 0), 0);
    }

    public QueueEnd End { get; }

    public ReferenceEnd Model { get; }

    public QueueCounters Counters { get; } = new();

    public int Size => _place.Size;

    protected Input Input { get; }

    /// <summary>Chains that it may still make available.</summary>
    protected int Room => _place.Size - (ushort)(_offered - Model.Queue.NextAvailable);

    public void Dispose() => End.Dispose();

    /// <summary>Makes a chain available that begins with these bytes.</summary>
    /// <param name="bytes">For the device to read.</param>
    /// <param name="more">More of them, which are what lies there.</param>
    /// <param name="writable">Room for the device to write.</param>
    /// <param name="isFree">Whether a head is the driver's to use; after many that are not, any is.</param>
    protected void Offer(ReadOnlySpan<byte> bytes, int more, int writable, Func<ushort, bool> isFree)
    {
        for (int i = 0; i < _place.Size && !isFree((ushort)(_nextHead % _place.Size)); i++)
            _nextHead++;
        int head = _nextHead % _place.Size;
        _nextHead += _writer.Write(Input, head, bytes.Length + more, writable);
        var chain = ReferenceChain.Walk(Model.Arena, _place, (_features & Features.RingIndirectDescriptors) != 0, head);
        if (chain.IsGood && chain.ReadableBytes >= bytes.Length)
            StoreIn(chain, bytes);
        StoreIndex(_place.Available + 4 + 2 * (_offered % _place.Size), (ushort)head);
        StoreIndex(_place.Available + 2, ++_offered);
    }

    /// <summary>Spoils something, now and then.</summary>
    protected void Spoil()
    {
        if (Input.Chance(2))
            StoreIndex(_place.Available + 2, _offered += Input.U16());
        if (Input.Chance(2))
            StoreIndex(_place.Available + 4 + 2 * Input.Below(_place.Size), Input.U16());
        if (Input.Chance(10))
            StoreIndex(_place.Available + Input.Pick(0, 4 + 2 * _place.Size), Input.U16());
        if (Input.Chance(5))
            Model.Arena.Store(_place.Used + Input.Below(4 + 8 * _place.Size), [Input.Byte()]);
    }

    private void StoreIn(ReferenceChain chain, ReadOnlySpan<byte> bytes)
    {
        foreach (var piece in chain.Readable)
        {
            int here = Math.Min(piece.Length, bytes.Length);
            Model.Arena.Store(piece.Offset, bytes[..here]);
            bytes = bytes[here..];
        }
    }

    private void StoreIndex(int offset, ushort value) => Model.Arena.Store(offset, BitConverter.GetBytes(value));
}
