using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Testing;

/// <summary>
/// A guest with a network device, driven by a test: its own memory, a front-end on a port's socket, and the driver's side of
/// its rings. Does what a well-behaved driver does; tests spoil it on purpose through <see cref="Memory"/> and <see cref="FrontEnd"/>.
/// </summary>
public sealed class TestGuest : IDisposable
{
    /// <summary>Features of a guest without offloads.</summary>
    public const ulong PlainFeatures = Virtio.Devices.Features.Version1 | Virtio.Devices.Features.VhostUserProtocolFeatures;

    /// <summary>How long a test waits for what must come at once.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const ulong Protocol =
        ProtocolFeatures.Multiqueue | ProtocolFeatures.ReplyAck | ProtocolFeatures.ConfigureMemorySlots | ProtocolFeatures.Status;

    private readonly TestGuestOptions _options;
    private readonly List<TestQueue> _queues = [];

    /// <summary>Makes the guest's memory and its rings.</summary>
    public TestGuest(TestGuestOptions? options = null)
    {
        _options = options ?? new TestGuestOptions();
        Memory = _options.MemoryFile is { } file
            ? new DriverMemory(file, _options.MemoryBytes, _options.GuestAddress)
            : new DriverMemory(_options.MemoryBytes, _options.GuestAddress);
        for (int i = 0; i < _options.QueuePairs * 2; i++)
            _queues.Add(new TestQueue(this, i, _options));
        foreach (int pair in Enumerable.Range(0, _options.QueuePairs))
            Receive(pair).PostBuffers(_options.ReceiveBuffers, _options.ReceiveBufferBytes);
    }

    /// <summary>Its memory.</summary>
    public DriverMemory Memory { get; }

    /// <summary>The features it accepts.</summary>
    public ulong Features => _options.Features;

    /// <summary>Bytes of the header of its frames.</summary>
    public int HeaderBytes => NetHeader.SizeFor(Features);

    /// <summary>Its VMM's side of the socket; after <see cref="Connect"/>.</summary>
    public FrontEnd FrontEnd { get; private set; } = null!;

    /// <summary>What the back-end offered.</summary>
    public ulong Offered { get; private set; }

    /// <summary>A receive queue.</summary>
    public TestQueue Receive(int pair = 0) => _queues[pair * 2];

    /// <summary>A transmit queue.</summary>
    public TestQueue Transmit(int pair = 0) => _queues[pair * 2 + 1];

    /// <summary>Connects, and does all until its rings run.</summary>
    public static TestGuest Run(string socket, TestGuestOptions? options = null)
    {
        var guest = new TestGuest(options);
        guest.Connect(socket);
        guest.Start();
        return guest;
    }

    /// <summary>Connects to a port and agrees on protocol features.</summary>
    public void Connect(string socket)
    {
        Attach(FrontEnd.Connect(socket, Patience));
        Agree();
    }

    /// <summary>Speaks over a socket that a back-end has connected to, and agrees on protocol features.</summary>
    public void Adopt(FileDescriptor socket)
    {
        Attach(FrontEnd.Over(socket, Patience));
        Agree();
    }

    /// <summary>Takes a connection over, and says nothing yet.</summary>
    public void Attach(FrontEnd frontEnd) => FrontEnd = frontEnd;

    /// <summary>Agrees on protocol features.</summary>
    public void Agree()
    {
        Offered = FrontEnd.Get(RequestCode.GetFeatures);
        FrontEnd.Set(RequestCode.SetProtocolFeatures, FrontEnd.Get(RequestCode.GetProtocolFeatures) & Protocol);
        FrontEnd.Do(RequestCode.SetOwner, []);
    }

    /// <summary>Accepts features, shares memory, starts and enables all rings.</summary>
    public void Start()
    {
        FrontEnd.Set(RequestCode.SetFeatures, Features);
        StartMemoryAndRings();
    }

    /// <summary>Shares memory, starts and enables all rings, whatever features were accepted.</summary>
    public void StartMemoryAndRings()
    {
        FrontEnd.SetMemoryTable((Memory.Layout, Memory.File));
        for (uint ring = 0; ring < _queues.Count; ring++)
            StartRing(ring, _queues[(int)ring].Driver.InitialState);
        for (uint ring = 0; ring < _queues.Count; ring++)
            FrontEnd.SetVring(RequestCode.SetVringEnable, ring, 1);
    }

    /// <summary>Starts one ring where it stood.</summary>
    public void StartRing(uint ring, uint index)
    {
        var queue = _queues[(int)ring];
        FrontEnd.SetVring(RequestCode.SetVringNum, ring, (uint)queue.Driver.Size);
        FrontEnd.SetVring(RequestCode.SetVringBase, ring, index);
        FrontEnd.SetVringAddress(ring, queue.Driver.Layout);
        FrontEnd.Set(RequestCode.SetVringKick, ring, queue.Kick.Descriptor);
        FrontEnd.Set(RequestCode.SetVringCall, ring, queue.Call.Descriptor);
    }

    /// <summary>Sends a frame without offloads on the first queue.</summary>
    public void Send(ReadOnlySpan<byte> frame) => Transmit().Send(default, frame);

    /// <summary>Waits for the next frame on the first queue.</summary>
    public byte[] ReceiveFrame() => Receive().NextFrame().Frame;

    /// <inheritdoc/>
    public void Dispose()
    {
        FrontEnd?.Dispose();
        _queues.ForEach(q => q.Dispose());
        Memory.Dispose();
    }
}
