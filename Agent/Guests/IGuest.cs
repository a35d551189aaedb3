using InterGuest.Virtio.Transport;

namespace InterGuest.Agent.Guests;

/// <summary>Where a device comes from: a switch's socket, or a PCI bus.</summary>
internal interface IGuest : IDisposable
{
    /// <summary>What it is, for a person: <c>port /run/interguest/ports/a.sock</c>.</summary>
    string Name { get; }

    /// <summary>Opens the device, anew after it was lost.</summary>
    /// <exception cref="DeviceLostException">It is not there now; it may come.</exception>
    /// <exception cref="AgentException">It will never be there.</exception>
    DriverDevice Open();
}
