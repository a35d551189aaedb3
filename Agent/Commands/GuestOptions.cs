using System.CommandLine;
using InterGuest.Agent.Guests;

namespace InterGuest.Agent.Commands;

/// <summary>The options of every role that say which device it drives.</summary>
internal sealed class GuestOptions
{
    private readonly Option<string?> _port = new("--port")
    {
        HelpName = "SOCKET",
        Description = "The socket of the switch's port; 'interguest port show NAME' tells it",
    };

    private readonly Option<string?> _pci = new("--pci")
    {
        HelpName = "ADDRESS",
        Description = "In a VM, in place of --port: a virtio PCI device that uio_pci_generic has, such as 00:05.0",
    };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_port);
        command.Add(_pci);
        command.Validators.Add(r =>
        {
            if ((r.GetValue(_port) == null) == (r.GetValue(_pci) == null))
                r.AddError("one of --port SOCKET and --pci ADDRESS is needed");
        });
    }

    /// <summary>Whether it is a device of a VM, whose memory is small.</summary>
    public bool IsPci(ParseResult parsed) => parsed.GetValue(_pci) != null;

    /// <summary>The guest that was asked for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="memoryBytes">What its role needs.</param>
    /// <param name="roundsBit">The number of VIRTIO_F_MULTI_ROUND; null: features are accepted once.</param>
    /// <exception cref="AgentException">It cannot be.</exception>
    public IGuest Make(ParseResult parsed, long memoryBytes, int? roundsBit = null) => parsed.GetValue(_pci) is { } address
        ? new PciGuest(address, memoryBytes)
        : new ProcessGuest(Path.GetFullPath(parsed.GetValue(_port)!), memoryBytes, roundsBit);
}
