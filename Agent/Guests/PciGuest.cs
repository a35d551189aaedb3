using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>A VM in which this is a program: it drives one of the VM's PCI devices.</summary>
internal sealed class PciGuest : IGuest
{
    private readonly string _address;
    private readonly HugePageMemory _memory;

    /// <summary>Takes memory for the device.</summary>
    /// <param name="address">As in /sys/bus/pci/devices, or without the domain: <c>00:05.0</c>.</param>
    /// <param name="memoryBytes">What the role needs; a quarter more is taken.</param>
    /// <exception cref="AgentException">There is no such memory.</exception>
    public PciGuest(string address, long memoryBytes)
    {
        _address = address.Count(c => c == ':') == 1 ? $"0000:{address}" : address;
        try
        {
            // No buffer crosses a page: of the largest ones, seven and not eight fit into one.
            _memory = HugePageMemory.Create(memoryBytes + memoryBytes / 4 + HugePageMemory.PageBytes);
        }
        catch (NativeException e)
        {
            throw new AgentException($"--pci: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public string Name => $"PCI device {_address}";

    /// <inheritdoc/>
    public DriverDevice Open()
    {
        try
        {
            return PciDevice.Open(_address, _memory);
        }
        catch (Exception e) when (e is NativeException or InvalidDataException)
        {
            throw new AgentException($"--pci: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
