using InterGuest.Switch.DataPath.Block;

namespace InterGuest.Switch.Ports.Models;

/// <summary>The device of a guest that serves a disk (docs/block-serving.md, section 1).</summary>
internal sealed class BlockServerModel : ByteModel
{
    public BlockServerModel()
        : base(PortType.BlockServer) => Session = new ServerSession(Counters);

    public BlockCounters Counters { get; } = new();

    /// <summary>The talk with the server.</summary>
    public ServerSession Session { get; }

    public override BlockCounters? BlockCounters => Counters;

    /// <summary>A ring of the server ends: what the server had is to be asked again.</summary>
    public override void OnStopped(int ring) => Session.Restart();
}
