namespace InterGuest.Virtio.Pci;

/// <summary>
/// The registers of a virtio PCI function, found by its capabilities (VIRTIO 1.2, 4.1.4). Each is read and written at once,
/// in its own width.
/// </summary>
internal sealed unsafe class VirtioPciRegisters
{
    /// <summary>Device status bits (2.1).</summary>
    public const byte Acknowledge = 1, DriverKnown = 2, DriverOk = 4, FeaturesOk = 8, NeedsReset = 0x40;

    /// <summary>Interrupt status: a queue, and the configuration (4.1.4.5).</summary>
    public const byte ConfigurationInterrupt = 2;

    private const int CapabilitiesAt = 0x34, VendorCapability = 9, CommonBytes = 56;
    private const ushort NoVector = 0xffff;

    private byte* _common;
    private byte* _notify;
    private byte* _isr;
    private byte* _device;
    private uint _notifyMultiplier;
    private uint _notifyBytes;
    private uint _deviceBytes;

    /// <summary>Finds them.</summary>
    /// <exception cref="InvalidDataException">It is not a virtio 1.x function.</exception>
    public VirtioPciRegisters(PciFunction function)
    {
        int steps = 0;
        for (int at = (int)function.Read(CapabilitiesAt, 1) & ~3; at != 0 && steps < 48; at = (int)function.Read(at + 1, 1) & ~3, steps++)
            if (function.Read(at, 1) == VendorCapability)
                Add(function, at);
        if (_common == null || _notify == null || _isr == null)
            throw new InvalidDataException("it is not a virtio 1.x device: it has no such capabilities");
    }

    /// <summary>The device status.</summary>
    public byte Status
    {
        get => Volatile.Read(ref _common[20]);
        set => Volatile.Write(ref _common[20], value);
    }

    /// <summary>Changes with the configuration (2.5).</summary>
    public byte Generation => Volatile.Read(ref _common[21]);

    /// <summary>How many queues there are.</summary>
    public int Queues => Volatile.Read(ref *(ushort*)(_common + 18));

    /// <summary>What the device offers.</summary>
    public ulong ReadFeatures()
    {
        Write32(0, 0);
        ulong low = Volatile.Read(ref *(uint*)(_common + 4));
        Write32(0, 1);
        return low | (ulong)Volatile.Read(ref *(uint*)(_common + 4)) << 32;
    }

    /// <summary>What the driver accepts.</summary>
    public void WriteFeatures(ulong features)
    {
        Write32(8, 0);
        Write32(12, (uint)features);
        Write32(8, 1);
        Write32(12, (uint)(features >> 32));
        Write16(16, NoVector);
    }

    /// <summary>The most entries of a queue; 0: there is no such queue.</summary>
    public int QueueSize(int queue)
    {
        Write16(22, (ushort)queue);
        return Volatile.Read(ref *(ushort*)(_common + 24));
    }

    /// <summary>Hands a queue over (4.1.5.1.3).</summary>
    /// <returns>Its doorbell.</returns>
    /// <exception cref="InvalidDataException">Its doorbell is outside the BAR.</exception>
    public nint StartQueue(int queue, int size, Queues.RingLayout layout)
    {
        Write16(22, (ushort)queue);
        Write16(24, (ushort)size);
        Write16(26, NoVector);
        Write64(32, layout.Descriptors);
        Write64(40, layout.Available);
        Write64(48, layout.Used);
        uint offset = Volatile.Read(ref *(ushort*)(_common + 30)) * _notifyMultiplier;
        if (offset + sizeof(ushort) > _notifyBytes)
            throw new InvalidDataException($"the doorbell of queue {queue} is outside its BAR");
        Write16(28, 1);
        return (nint)(_notify + offset);
    }

    /// <summary>Why it interrupted; asking lets the line go.</summary>
    public byte TakeInterruptReason() => Volatile.Read(ref *_isr);

    /// <summary>Reads the device's own configuration.</summary>
    /// <returns>False if there are not so many bytes.</returns>
    public bool TryReadConfiguration(int offset, Span<byte> bytes)
    {
        if (_device == null || (ulong)(uint)offset + (uint)bytes.Length > _deviceBytes)
            return false;
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = Volatile.Read(ref _device[offset + i]);
        return true;
    }

    /// <summary>A capability: kind, BAR, offset and length of a group of registers (4.1.4).</summary>
    private void Add(PciFunction function, int at)
    {
        int kind = (int)function.Read(at + 3, 1), bar = (int)function.Read(at + 4, 1);
        uint offset = function.Read(at + 8, 4), length = function.Read(at + 12, 4);
        switch (kind)
        {
            case 1 when _common == null && length >= CommonBytes:
                _common = function.Map(bar, offset, length);
                break;
            case 2 when _notify == null:
                _notify = function.Map(bar, offset, length);
                _notifyBytes = length;
                _notifyMultiplier = function.Read(at + 16, 4);
                break;
            case 3 when _isr == null:
                _isr = function.Map(bar, offset, 1);
                break;
            case 4 when _device == null:
                _device = function.Map(bar, offset, length);
                _deviceBytes = length;
                break;
        }
    }

    private void Write16(int at, ushort value) => Volatile.Write(ref *(ushort*)(_common + at), value);

    private void Write32(int at, uint value) => Volatile.Write(ref *(uint*)(_common + at), value);

    private void Write64(int at, ulong value)
    {
        Write32(at, (uint)value);
        Write32(at + 4, (uint)(value >> 32));
    }
}
