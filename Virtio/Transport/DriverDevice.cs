using InterGuest.Virtio.Memory;
using InterGuest.Virtio.Native;
using InterGuest.Virtio.Queues;

namespace InterGuest.Virtio.Transport;

/// <summary>
/// A virtio device as its driver sees it, whatever carries it: features, queues, doorbells, configuration (VIRTIO 1.2, 2).
/// Used by one thread; only <see cref="Wake"/> may come from others.
/// </summary>
public abstract class DriverDevice : IDisposable
{
    /// <summary>Tokens from here on are the transport's own.</summary>
    protected const ulong FirstToken = 1;

    private const ulong WakeToken = 0, WatchToken = ulong.MaxValue;

    private readonly PollEvent[] _events = new PollEvent[8];
    private readonly EventFd _wake = EventFd.Create();

    /// <summary>Begins with nothing to wait for but <see cref="Wake"/>.</summary>
    protected DriverDevice() => Poller.Add(_wake.Descriptor, PollInterest.Readable, WakeToken);

    /// <summary>Where its rings and buffers lie.</summary>
    public abstract DmaMemory Memory { get; }

    /// <summary>The features that it offers now.</summary>
    public abstract ulong Offered { get; }

    /// <summary>The features that were accepted last.</summary>
    public ulong Accepted { get; protected set; }

    /// <summary>Whether it wants its driver to <see cref="Reset"/> it and to accept features anew (docs/multi-round.md).</summary>
    public bool IsToLookAgain { get; protected set; }

    /// <summary>Whether its configuration has changed since this was last set to false.</summary>
    public bool ConfigurationChanged { get; set; }

    /// <summary>What is waited for.</summary>
    protected Poller Poller { get; } = new();

    /// <summary>The entries that a queue may have.</summary>
    /// <returns>0: there is no such queue.</returns>
    public abstract int MaxQueueSize(int queue);

    /// <summary>Accepts features of the present offer: those of them that the driver wants.</summary>
    /// <returns>
    /// Whether that was the last offer, and <see cref="Start"/> may follow. If not, there will be another when
    /// <see cref="IsToLookAgain"/>.
    /// </returns>
    /// <exception cref="DeviceLostException">It refused, or is gone.</exception>
    public virtual bool TryAccept(ulong wanted)
    {
        Accepted = Offered & wanted;
        return true;
    }

    /// <summary>Hands the queues over: from now on the device works, with the features that were accepted.</summary>
    /// <param name="queues">By their number.</param>
    /// <exception cref="DeviceLostException">It refused, or is gone.</exception>
    public abstract void Start(IReadOnlyList<DriverQueue> queues);

    /// <summary>Stops the queues, which the device then has let go of, and forgets what was accepted (2.4.1).</summary>
    /// <exception cref="DeviceLostException">It is gone.</exception>
    public virtual void Reset() => Accepted = 0;

    /// <summary>Tells the device to look at a queue.</summary>
    public abstract void Kick(int queue);

    /// <summary>Reads from the device's configuration space (2.5).</summary>
    /// <exception cref="DeviceLostException">There are not so many bytes, or the device is gone.</exception>
    public abstract void ReadConfiguration(int offset, Span<byte> bytes);

    /// <summary>Waits until a queue was called (of those that asked for it), the configuration changed, or <see cref="Wake"/>.</summary>
    /// <param name="timeoutMilliseconds">0: only look; negative: without end.</param>
    /// <exception cref="DeviceLostException">It is gone.</exception>
    public void Wait(int timeoutMilliseconds)
    {
        int count = Poller.Wait(_events, timeoutMilliseconds);
        for (int i = 0; i < count; i++)
        {
            if (_events[i].Token == WakeToken)
                _wake.Drain();
            else if (_events[i].Token != WatchToken)
                OnEvent(_events[i].Token);
        }
    }

    /// <summary>Makes <see cref="Wait"/> end, too, when there is something to read from a descriptor of the driver's.</summary>
    /// <exception cref="NativeException">It cannot be waited for.</exception>
    public void Watch(FileDescriptor fd) => Poller.Add(fd, PollInterest.Readable, WatchToken);

    /// <summary>Waits for it no more.</summary>
    public void Unwatch(FileDescriptor fd) => Poller.Remove(fd);

    /// <summary>Ends a <see cref="Wait"/>, now or when it comes. From any thread.</summary>
    public void Wake() => _wake.Signal();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Something happened to what the transport waits for.</summary>
    /// <exception cref="DeviceLostException">The device is gone.</exception>
    protected abstract void OnEvent(ulong token);

    /// <summary>Stops the device and lets go of it.</summary>
    protected virtual void Dispose(bool disposing)
    {
        Poller.Dispose();
        _wake.Dispose();
    }
}
