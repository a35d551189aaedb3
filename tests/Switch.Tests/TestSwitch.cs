using System.Collections.Concurrent;
using InterGuest.Protos.V1;
using InterGuest.Switch.Control;
using InterGuest.Testing;
using Link = InterGuest.Protos.V1.Link;
using PortType = InterGuest.Switch.Ports.PortType;
using PortState = InterGuest.Protos.V1.PortState;
using SocketMode = InterGuest.Switch.Ports.SocketMode;

namespace InterGuest.Switch.Tests;

/// <summary>A switch in this process, without its gRPC service: real sockets, real threads.</summary>
internal sealed class TestSwitch : IDisposable
{
    private readonly ConcurrentQueue<(string Name, string Text, PortState State)> _told = new();
    private readonly ConcurrentQueue<Exception> _failures = new();

    public TestSwitch(int loops = 2, Func<string, string>? socketDirectory = null, TimeSpan? busyPoll = null)
    {
        Options = new SwitchOptions
        {
            SocketDirectory = socketDirectory?.Invoke(Directory.Root) ?? Directory.Root,
            StateDirectory = Directory.At("state"),
            EventLoops = loops,
            BusyPoll = busyPoll ?? Defaults.BusyPoll,
        };
        Board = new Switchboard(Options, TimeProvider.System, _failures.Enqueue);
        Do(b => b.Happened += Record);
    }

    public TemporaryDirectory Directory { get; } = new();

    public SwitchOptions Options { get; }

    public Switchboard Board { get; }

    /// <summary>What was told of ports and links, in order.</summary>
    public IEnumerable<string> Events => _told.Select(t => t.Text);

    public T Do<T>(Func<Switchboard, T> work) => Board.InvokeAsync(() => work(Board)).GetAwaiter().GetResult();

    public void Do(Action<Switchboard> work) => Do(b =>
    {
        work(b);
        return true;
    });

    /// <summary>Makes a port.</summary>
    /// <returns>Its socket.</returns>
    public string AddPort(
        string name, int queuePairs = 1, SocketMode mode = SocketMode.Listen, string socketPath = "", PortType type = PortType.Net) =>
        Do(b => b.CreatePort(name, mode, socketPath, queuePairs, type: type).Spec.SocketPath);

    public void AddLink(string name, string first, string second, TimeSpan? hold = null) =>
        Do(b => b.CreateLink(name, [first, second], hold));

    /// <summary>
    /// Returns when the loop of a port has ended the turns that had begun, and sleeps if nothing is left to do: it does what others
    /// ask of it only at some of its rounds, and lets joins sleep at the same.
    /// </summary>
    public void LetItLook(string port)
    {
        for (int i = 0; i < 4; i++)
            Do(b => b.GetPort(port).InLoop(() => { }));
    }

    /// <summary>A port as the outside sees it.</summary>
    public Port Port(string name) => Do(b => b.GetPort(name).ToProto(b.LinksOf(b.GetPort(name))));

    public Link Link(string name) => Do(b => b.GetLink(name).ToProto());

    /// <summary>Waits until a port is as it should be.</summary>
    public Port PortWhen(string name, Func<Port, bool> condition, string what)
    {
        Port port = Port(name);
        Wait.Until(() => condition(port = Port(name)), $"{what}; the port is {port}");
        return port;
    }

    public Port PortIn(PortState state, string name) => PortWhen(name, p => p.State == state, $"port {name} becomes {state}");

    /// <summary>The states that a port was told to be in, in order.</summary>
    public PortState[] StatesOf(string name) => [.. _told.Where(t => t.Name == name).Select(t => t.State)];

    /// <summary>Two ports, linked, with a guest at each.</summary>
    public (TestGuest A, TestGuest B) Join(TestGuestOptions? a = null, TestGuestOptions? b = null, TimeSpan? hold = null)
    {
        string first = AddPort("a", a?.QueuePairs ?? 1), second = AddPort("b", b?.QueuePairs ?? 1);
        AddLink("wire", "a", "b", hold);
        return (TestGuest.Run(first, a), TestGuest.Run(second, b));
    }

    public void Dispose()
    {
        try
        {
            Board.Dispose();
        }
        finally
        {
            Directory.Dispose();
        }
        Assert.Empty(_failures);
    }

    private void Record(SwitchEvent happened) => _told.Enqueue((
        happened.Port?.Name ?? happened.Link!.Name,
        happened.Text,
        happened.Port is { } port && happened.Kind != InterGuest.Switch.Control.EventKind.Deleted ? port.ToProto([]).State : PortState.Unspecified));
}
