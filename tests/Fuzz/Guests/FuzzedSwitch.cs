using System.Collections.Concurrent;
using InterGuest.Fuzz.Engine;
using InterGuest.Switch;
using InterGuest.Switch.Control;
using InterGuest.Switch.Ports;
using InterGuest.Testing;

namespace InterGuest.Fuzz.Guests;

/// <summary>
/// A switch in this process with a port for a hostile front-end, linked to one with an honest guest, and another link between
/// two honest guests, on the same loop: whatever the hostile one does, those must go on.
/// </summary>
internal sealed class FuzzedSwitch : IDisposable
{
    /// <summary>In the names of memory files of the hostile front-end, so that their mappings can be found.</summary>
    public const string FileName = "fuzz-msg";

    private const string Hostile = "hostile";
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("igfuzz-");
    private readonly ConcurrentQueue<Exception> _failures = new();
    private readonly Switchboard _board;
    private readonly TestGuest _peer;
    private readonly TestGuest _first;
    private readonly TestGuest _second;
    private int _exchanges;
    private long _taken;

    public FuzzedSwitch()
    {
        var options = new SwitchOptions { SocketDirectory = _directory.FullName, StateDirectory = Path.Combine(_directory.FullName, "state"), EventLoops = 1 };
        _board = new Switchboard(options, TimeProvider.System, _failures.Enqueue);
        Socket = AddPort(Hostile, 2);
        _peer = TestGuest.Run(AddPort("peer", 1));
        _first = TestGuest.Run(AddPort("first", 1));
        _second = TestGuest.Run(AddPort("second", 1));
        Do(b => b.CreateLink("attacked", [Hostile, "peer"], TimeSpan.FromMilliseconds(10)));
        Do(b => b.CreateLink("other", ["first", "second"], null));
        // The first ring of a process opens what all later ones use.
        _first.Transmit().Kick.Signal();
        // And what an earlier fuzzer of this process left to the collector is no guest of ours.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Descriptors = CountDescriptors();
    }

    /// <summary>The hostile port's socket.</summary>
    public string Socket { get; }

    /// <summary>Eventfds and memory files that are open while no hostile front-end is connected.</summary>
    public int Descriptors { get; }

    /// <summary>The hostile front-end is gone: nothing of it is left, and nobody else has noticed.</summary>
    /// <returns>What was taken from its rings since the last call.</returns>
    public long CheckAfter()
    {
        SpinUntil(() => Do(b => b.GetPort(Hostile).FrontEnd == null), "the switch has seen the end of the connection");
        FuzzException.Unless(_failures.IsEmpty, $"the switch failed: {string.Join("; ", _failures)}");
        FuzzException.UnlessEqual(Descriptors, CountDescriptors(), "eventfds and memory files open");
        FuzzException.UnlessEqual(0, File.ReadLines("/proc/self/maps").Count(l => l.Contains(FileName, StringComparison.Ordinal)), "mappings left");
        foreach (var (from, to) in new[] { (_first, _second), (_second, _first) })
        {
            byte[] frame = new byte[60];
            BitConverter.GetBytes(++_exchanges).CopyTo(frame, 0);
            from.Send(frame);
            FuzzException.Unless(to.ReceiveFrame().AsSpan().SequenceEqual(frame), "another guest got another frame than was sent to it");
            from.Transmit().NextUsed();
        }
        DrainPeer();
        var counters = Do(b => b.GetPort(Hostile).Counters);
        long before = _taken;
        _taken = counters.SentFrames + counters.Drops.Sum(d => d.Count);
        return _taken - before;
    }

    public void Dispose()
    {
        _board.Dispose();
        _peer.Dispose();
        _first.Dispose();
        _second.Dispose();
        _directory.Delete(recursive: true);
    }

    private static int CountDescriptors() => new DirectoryInfo("/proc/self/fd").EnumerateFileSystemInfos()
        .Count(f => f.LinkTarget is { } target && (target.Contains("eventfd", StringComparison.Ordinal) || target.Contains("/memfd:", StringComparison.Ordinal)));

    private static void SpinUntil(Func<bool> condition, string what)
    {
        if (!SpinWait.SpinUntil(condition, TestGuest.Patience))
            throw new FuzzException($"waited {TestGuest.Patience.TotalSeconds} s in vain: {what}");
    }

    /// <summary>What a hostile guest sends to its peer is taken, so that its buffers do not run out.</summary>
    private void DrainPeer()
    {
        while (_peer.Receive().HasUsed)
            _peer.ReceiveFrame();
    }

    private string AddPort(string name, int pairs) => Do(b => b.CreatePort(name, SocketMode.Listen, "", pairs)).Spec.SocketPath;

    private T Do<T>(Func<Switchboard, T> work) => _board.InvokeAsync(() => work(_board)).GetAwaiter().GetResult();
}
