using InterGuest.Switch.Negotiation.Replug;
using InterGuest.Switch.Ports;
using InterGuest.Virtio.Devices;

namespace InterGuest.Switch.Control;

/// <summary>Runs re-plugs beside the control thread, and keeps on it how they go. All members are for the control thread.</summary>
/// <param name="reactor">The control thread.</param>
/// <param name="time">The clock.</param>
/// <param name="tell">Told of each step.</param>
internal sealed class ReplugRunner(Reactor reactor, TimeProvider time, Action<Port, string> tell) : IDisposable
{
    private const string WaitsText = "waits for the guest to take the device";

    /// <summary>How long a guest may take to let go of a device, and to take it again.</summary>
    private static readonly TimeSpan LetGo = TimeSpan.FromSeconds(30), Take = TimeSpan.FromSeconds(60);

    private readonly CancellationTokenSource _end = new();

    /// <summary>What a port's guest uses that the other end of its link refused, as far as its VMM can take it from it.</summary>
    public static ulong Excess(Port port, Port peer)
    {
        if (port.Spec.Type != PortType.Net || port.Accepted is not { } features || peer.Accepted is not { } other)
            return 0;
        return features & ~FeatureTable.Net.FitBoth(features, other).First & QemuProperties.Removable;
    }

    /// <summary>Whether the policy should re-plug a port's device: it has something too many, and this front-end was not tried.</summary>
    public static bool IsDue(Port port, Port peer) =>
        port.QmpSocket != "" && port.RunningPairs > 0 && peer.RunningPairs > 0 && Excess(port, peer) != 0
        && (port.Replug is not { } last || (last.State != ReplugState.Running && last.Connection != port.Connections));

    /// <summary>Begins. Not while one runs.</summary>
    public void Begin(Port port, ulong without)
    {
        port.Replug = new ReplugProgress(without, port.Connections, ReplugState.Running, "", time.GetUtcNow());
        Step(port, ReplugState.Running, $"re-plug without {string.Join(", ", FeatureTable.Net.Names(without))} begins");
        var request = new ReplugRequest(port.QmpSocket, port.Spec.SocketPath, without, LetGo);
        var cancel = _end.Token;
        _ = Task.Run(() => RunAsync(port, request, cancel), cancel);
    }

    /// <summary>The port is not as it was: perhaps its guest is back.</summary>
    public void OnChanged(Port port)
    {
        if (port.Replug is { State: ReplugState.Running, Text: WaitsText } replug && port.RunningPairs > 0 && (port.Accepted & replug.Without) == 0)
            Step(port, ReplugState.Done, $"the guest runs without {string.Join(", ", FeatureTable.Net.Names(replug.Without))}");
    }

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    private async Task RunAsync(Port port, ReplugRequest request, CancellationToken cancel)
    {
        try
        {
            await Replugger.RunAsync(
                request,
                text => reactor.Post(() => Step(port, null, text)),
                text => reactor.Post(() => Step(port, ReplugState.Failed, text)),
                cancel);
            reactor.Post(() => AwaitGuest(port));
        }
        catch (QmpException e)
        {
            reactor.Post(() => Step(port, ReplugState.Failed, e.Message));
        }
        catch (OperationCanceledException)
        {
            // The switch ends.
        }
    }

    private void AwaitGuest(Port port)
    {
        if (port.Replug is not { State: ReplugState.Running })
            return; // given up before
        Step(port, ReplugState.Running, WaitsText);
        var waiting = port.Replug;
        reactor.After(Take, () =>
        {
            if (port.Replug == waiting)
                Step(port, ReplugState.Failed, $"the guest has not taken the device in {Take.TotalSeconds:0} s: it is plugged in without the features, look into the guest");
        });
        OnChanged(port);
    }

    private void Step(Port port, ReplugState? state, string text)
    {
        port.Replug = port.Replug! with { State = state ?? port.Replug.State, Text = text, Since = time.GetUtcNow() };
        tell(port, $"re-plug: {text}");
    }
}
