using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace InterGuest.Virtio.Native;

/// <summary>Waits for many descriptors at once (epoll). Owned by one thread; only <see cref="Wait"/> blocks.</summary>
public sealed unsafe class Poller : IDisposable
{
    private const int MaxEvents = 64;

    // struct epoll_event is packed on x86-64 and only there.
    private static readonly int EventSize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int TokenOffset = EventSize - sizeof(ulong);

    private readonly FileDescriptor _epoll = new(Libc.Check(Libc.epoll_create1(Libc.EPOLL_CLOEXEC), "epoll_create1"));
    private readonly byte[] _events = GC.AllocateArray<byte>(MaxEvents * EventSize, pinned: true);

    /// <summary>Watches a descriptor; its events carry <paramref name="token"/>.</summary>
    /// <exception cref="NativeException">It cannot be watched.</exception>
    public void Add(FileDescriptor fd, PollInterest interest, ulong token) =>
        Libc.Check(Control(Libc.EPOLL_CTL_ADD, fd, interest, token), "epoll_ctl add");

    /// <summary>Changes what a watched descriptor is watched for.</summary>
    /// <exception cref="NativeException">It is not watched.</exception>
    public void Modify(FileDescriptor fd, PollInterest interest, ulong token) =>
        Libc.Check(Control(Libc.EPOLL_CTL_MOD, fd, interest, token), "epoll_ctl modify");

    /// <summary>Stops watching. No error if it was not watched.</summary>
    /// <remarks>Needed before a close: a duplicate held by the peer would keep the watch alive.</remarks>
    public void Remove(FileDescriptor fd) => Control(Libc.EPOLL_CTL_DEL, fd, 0, 0);

    /// <summary>Waits for events.</summary>
    /// <param name="ready">Filled with tokens and what happened.</param>
    /// <param name="timeoutMilliseconds">0: only look; negative: without end.</param>
    /// <returns>How many entries of <paramref name="ready"/> are filled; 0 after the time, or a signal.</returns>
    public int Wait(Span<PollEvent> ready, int timeoutMilliseconds)
    {
        // The array is pinned for its life.
        byte* events = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_events));
        int count = Libc.epoll_wait(_epoll.Number, events, Math.Min(ready.Length, MaxEvents), timeoutMilliseconds);
        for (int i = 0; i < count; i++)
        {
            byte* entry = events + i * EventSize;
            ready[i] = new PollEvent(Unsafe.ReadUnaligned<ulong>(entry + TokenOffset), Unsafe.ReadUnaligned<uint>(entry));
        }
        if (count < 0 && Libc.LastError != Libc.EINTR)
            throw new NativeException("epoll_wait", Libc.LastError);
        return Math.Max(count, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _epoll.Dispose();

    private int Control(int operation, FileDescriptor fd, PollInterest interest, ulong token)
    {
        byte* entry = stackalloc byte[16];
        Unsafe.WriteUnaligned(entry, (uint)interest);
        Unsafe.WriteUnaligned(entry + TokenOffset, token);
        return Libc.epoll_ctl(_epoll.Number, operation, fd.Number, entry);
    }
}

/// <summary>What to wait for.</summary>
[Flags]
public enum PollInterest : uint
{
    /// <summary>Nothing; errors and hang-ups are told all the same.</summary>
    None = 0,

    /// <summary>Data to read, or a connection to accept.</summary>
    Readable = Libc.EPOLLIN,

    /// <summary>Room to write.</summary>
    Writable = Libc.EPOLLOUT,

    /// <summary>Tell each change once, rather than as long as it lasts: an eventfd then never needs to be read.</summary>
    Edge = Libc.EPOLLET,
}

/// <summary>Something happened to a watched descriptor.</summary>
/// <param name="Token">As given to <see cref="Poller.Add"/>.</param>
/// <param name="Happened">epoll's event bits.</param>
public readonly record struct PollEvent(ulong Token, uint Happened)
{
    /// <summary>There is something to read: data, a connection, or the end.</summary>
    public bool IsReadable => (Happened & (Libc.EPOLLIN | Libc.EPOLLHUP | Libc.EPOLLERR | Libc.EPOLLRDHUP)) != 0;
}
