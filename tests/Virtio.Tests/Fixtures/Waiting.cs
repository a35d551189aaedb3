using System.Diagnostics;
using InterGuest.Virtio.Native;

namespace InterGuest.Virtio.Tests.Fixtures;

/// <summary>Waiting for one descriptor; a signal does not end it.</summary>
internal sealed class Waiting : IDisposable
{
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Poller _poller = new();

    internal Waiting(FileDescriptor fd) => _poller.Add(fd, PollInterest.Readable, 0);

    public void Dispose() => _poller.Dispose();

    /// <exception cref="TimeoutException">Nothing came: a lost wake-up, most likely.</exception>
    internal void ForReadable(string what)
    {
        Span<PollEvent> events = stackalloc PollEvent[1];
        for (var clock = Stopwatch.StartNew(); _poller.Wait(events, (int)Math.Max(0, (Patience - clock.Elapsed).TotalMilliseconds)) == 0;)
            if (clock.Elapsed >= Patience)
                throw new TimeoutException($"{what}: nothing came in {Patience.TotalSeconds} s");
    }
}
