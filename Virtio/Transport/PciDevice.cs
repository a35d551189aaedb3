using InterGuest.Virtio.Devices;
using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Pci;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Transport;

/// <summary>A virtio PCI device (VIRTIO 1.2, 4.1), driven by a process through uio_pci_generic, with its INTx interrupt.</summary>
public sealed unsafe class PciDevice : DriverDevice
{
    private const ulong InterruptToken = FirstToken;
    private const int ResetMilliseconds = 5000;
    private const byte Known = VirtioPciRegisters.Acknowledge | VirtioPciRegisters.DriverKnown | VirtioPciRegisters.FeaturesOk;

    private readonly PciFunction _function;
    private readonly VirtioPciRegisters _registers;
    private readonly HugePageMemory _memory;
    private readonly List<nint> _doorbells = [];

    private PciDevice(PciFunction function, HugePageMemory memory)
    {
        (_function, _memory) = (function, memory);
        _registers = new VirtioPciRegisters(function);
        Poller.Add(function.Interrupt, PollInterest.Readable, InterruptToken);
    }

    /// <inheritdoc/>
    public override DmaMemory Memory => _memory;

    /// <inheritdoc/>
    public override ulong Offered => _registers.ReadFeatures();

    /// <summary>Opens and resets a device.</summary>
    /// <param name="address">As in /sys/bus/pci/devices: <c>0000:00:05.0</c>.</param>
    /// <param name="memory">For rings and buffers; not owned.</param>
    /// <exception cref="NativeException">It cannot be opened.</exception>
    /// <exception cref="InvalidDataException">It is not a virtio device that user space has; the message says what to do.</exception>
    /// <exception cref="DeviceLostException">It cannot be reset.</exception>
    public static PciDevice Open(string address, HugePageMemory memory)
    {
        var function = PciFunction.Open(address);
        PciDevice device;
        try
        {
            device = new PciDevice(function, memory);
        }
        catch
        {
            function.Dispose();
            throw;
        }
        try
        {
            device.Reset();
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override int MaxQueueSize(int queue) => queue < _registers.Queues ? _registers.QueueSize(queue) : 0;

    /// <inheritdoc/>
    public override bool TryAccept(ulong wanted)
    {
        base.TryAccept(wanted);
        // Bus addresses are what we give it anyway.
        _registers.WriteFeatures(Accepted | (Offered & Features.AccessPlatform));
        _registers.Status = Known;
        return (_registers.Status & VirtioPciRegisters.FeaturesOk) != 0
            ? true
            : throw new DeviceLostException($"the device refuses the features 0x{Accepted:x}");
    }

    /// <inheritdoc/>
    public override void Start(IReadOnlyList<DriverQueue> queues)
    {
        for (int i = 0; i < queues.Count; i++)
            _doorbells.Add(_registers.StartQueue(i, queues[i].Size, queues[i].Layout));
        _function.AllowInterrupt();
        _registers.Status = Known | VirtioPciRegisters.DriverOk;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        ClearStatus();
        base.Reset();
        _doorbells.Clear();
        _registers.Status = VirtioPciRegisters.Acknowledge;
        _registers.Status = VirtioPciRegisters.Acknowledge | VirtioPciRegisters.DriverKnown;
    }

    /// <inheritdoc/>
    public override void Kick(int queue)
    {
        // The ring must be visible before the doorbell rings (2.7.13.3).
        Interlocked.MemoryBarrier();
        Volatile.Write(ref *(ushort*)_doorbells[queue], (ushort)queue);
    }

    /// <inheritdoc/>
    public override void ReadConfiguration(int offset, Span<byte> bytes)
    {
        byte generation;
        do
        {
            generation = _registers.Generation;
            if (!_registers.TryReadConfiguration(offset, bytes))
                throw new DeviceLostException($"the device has not {bytes.Length} bytes of configuration at {offset}");
        }
        while (generation != _registers.Generation);
    }

    /// <inheritdoc/>
    protected override void OnEvent(ulong token)
    {
        ConfigurationChanged |= (_registers.TakeInterruptReason() & VirtioPciRegisters.ConfigurationInterrupt) != 0;
        _function.TakeInterrupt();
        if ((_registers.Status & VirtioPciRegisters.NeedsReset) != 0)
            throw new DeviceLostException("the device asks to be reset");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        try
        {
            ClearStatus(); // or it could go on writing to memory that is given back
        }
        catch (DeviceLostException)
        {
            // Closing the function takes bus mastering from it.
        }
        _function.Dispose();
    }

    /// <summary>Resets the device: it has let go of all memory when its status reads 0 (4.1.4.3.2).</summary>
    private void ClearStatus()
    {
        _registers.Status = 0;
        long until = Environment.TickCount64 + ResetMilliseconds;
        while (_registers.Status != 0)
        {
            if (Environment.TickCount64 > until)
                throw new DeviceLostException("the device does not reset");
            Thread.Sleep(1);
        }
    }
}
