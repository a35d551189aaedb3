using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Pci;

/// <summary>
/// A PCI function that uio_pci_generic has given to this process: its configuration space, its BARs, its interrupt. That
/// driver takes bus mastering from the function when the process ends, however it ends: no write of the device comes later.
/// </summary>
internal sealed unsafe class PciFunction : IDisposable
{
    /// <summary>The kernel driver that is needed.</summary>
    public const string Driver = "uio_pci_generic";

    private const int CommandAt = 4, MemorySpace = 2, BusMaster = 4, InterruptDisable = 0x400, Bars = 6;

    private readonly string _directory;
    private readonly FileDescriptor _configuration;
    private readonly (nint Start, nuint Length)[] _bars = new (nint, nuint)[Bars];

    private PciFunction(string directory, FileDescriptor interrupt, FileDescriptor configuration) =>
        (_directory, Interrupt, _configuration) = (directory, interrupt, configuration);

    /// <summary>Readable after an interrupt, until <see cref="TakeInterrupt"/>.</summary>
    public FileDescriptor Interrupt { get; }

    /// <summary>Opens a function and lets it read and write memory.</summary>
    /// <param name="address">As in /sys/bus/pci/devices: <c>0000:00:05.0</c>.</param>
    /// <exception cref="NativeException">It cannot be opened.</exception>
    /// <exception cref="InvalidDataException">It is not there, or another driver has it; the message says how to change that.</exception>
    public static PciFunction Open(string address)
    {
        string directory = $"/sys/bus/pci/devices/{address}";
        if (!Directory.Exists(directory))
            throw new InvalidDataException($"there is no PCI function {address}: see lspci -D");
        string[] uio = Directory.Exists($"{directory}/uio") ? Directory.GetDirectories($"{directory}/uio") : [];
        if (uio.Length == 0)
            throw new InvalidDataException($"PCI function {address} {OwnerOf(directory)}. Give it to user space: modprobe {Driver}; "
                + $"echo {Driver} > {directory}/driver_override; echo {address} > {directory}/driver/unbind; echo {address} > /sys/bus/pci/drivers_probe");
        var interrupt = OpenFile($"/dev/{Path.GetFileName(uio[0])}");
        try
        {
            var function = new PciFunction(directory, interrupt, OpenFile($"{directory}/config"));
            function.WriteCommand((ushort)(function.ReadCommand() | MemorySpace | BusMaster));
            return function;
        }
        catch
        {
            interrupt.Dispose();
            throw;
        }
    }

    /// <summary>Reads a little-endian number of the configuration space.</summary>
    /// <exception cref="NativeException">It cannot be read.</exception>
    public uint Read(int offset, int bytes)
    {
        uint value = 0;
        if (Libc.pread(_configuration.Number, &value, (nuint)bytes, offset) != bytes)
            throw new NativeException($"read the configuration space of {_directory}", Libc.LastError);
        return value;
    }

    /// <summary>Maps a BAR, once.</summary>
    /// <param name="bar">0 to 5.</param>
    /// <param name="offset">Of the first byte wanted.</param>
    /// <param name="length">Bytes that must be there.</param>
    /// <exception cref="InvalidDataException">They are not.</exception>
    public byte* Map(int bar, uint offset, uint length)
    {
        if (bar >= Bars)
            throw new InvalidDataException($"the function names BAR {bar}, which there cannot be");
        if (_bars[bar].Start == 0)
            _bars[bar] = MapWhole(bar);
        if ((ulong)offset + length > _bars[bar].Length)
            throw new InvalidDataException($"BAR {bar} has {_bars[bar].Length} bytes, and {length} are wanted at {offset}");
        return (byte*)_bars[bar].Start + offset;
    }

    /// <summary>Takes an interrupt, and lets the next one come. The device must have been asked for its reason before.</summary>
    public void TakeInterrupt()
    {
        int count;
        _ = Libc.read(Interrupt.Number, &count, sizeof(int));
        AllowInterrupt();
    }

    /// <summary>Lets an interrupt come: the kernel's driver masks the line with each.</summary>
    public void AllowInterrupt() => WriteCommand((ushort)(ReadCommand() & ~InterruptDisable));

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (start, length) in _bars)
            if (start != 0)
                _ = Libc.munmap((void*)start, length);
        _configuration.Dispose();
        Interrupt.Dispose();
    }

    private static string OwnerOf(string directory)
    {
        string? driver = new FileInfo($"{directory}/driver").LinkTarget;
        return driver == null ? "has no driver" : $"is in the hands of {Path.GetFileName(driver)}";
    }

    private static FileDescriptor OpenFile(string path) => new(Libc.Check(Libc.open(path, Libc.O_RDWR | Libc.O_CLOEXEC, 0), $"open {path}"));

    private (nint Start, nuint Length) MapWhole(int bar)
    {
        using var resource = OpenFile($"{_directory}/resource{bar}");
        Libc.Statx status;
        Libc.Check(Libc.statx(resource.Number, "", Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &status), $"stat BAR {bar}");
        void* start = Libc.mmap(null, (nuint)status.Size, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, resource.Number, 0);
        return (nint)start != -1 ? ((nint)start, (nuint)status.Size) : throw new NativeException($"map BAR {bar} of {_directory}", Libc.LastError);
    }

    private ushort ReadCommand() => (ushort)Read(CommandAt, sizeof(ushort));

    private void WriteCommand(ushort command)
    {
        if (Libc.pwrite(_configuration.Number, &command, sizeof(ushort), CommandAt) != sizeof(ushort))
            throw new NativeException($"write the configuration space of {_directory}", Libc.LastError);
    }
}
