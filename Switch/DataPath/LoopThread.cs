using System.Collections.Concurrent;
using InterGuest.Virtio.Native;

namespace InterGuest.Switch.DataPath;

/// <summary>
/// A thread that waits for descriptors and takes work from other threads. What it owns is touched by nobody else: others
/// send it work.
/// </summary>
public abstract class LoopThread : IDisposable
{
    /// <summary>The token of the wake-up descriptor; others begin at 1.</summary>
    protected const ulong WakeToken = 0;

    private readonly ConcurrentQueue<Action> _work = new();
    private readonly EventFd _wake = EventFd.Create();
    private readonly Thread _thread;
    private volatile KernelThread? _kernelThread;
    private volatile bool _stopping;
    private volatile bool _ended;

    /// <summary>Makes the thread; <see cref="Start"/> starts it.</summary>
    protected LoopThread(string name)
    {
        _thread = new Thread(RunGuarded) { Name = name, IsBackground = true };
        Poller.Add(_wake.Descriptor, PollInterest.Readable | PollInterest.Edge, WakeToken);
    }

    /// <summary>Told of an exception in work that nobody waits for: a fault of ours, which must not end the thread.</summary>
    public Action<Exception>? Failed { get; init; }

    /// <summary>The CPU that it is to run on; null: any.</summary>
    public int? Cpu { get; init; }

    /// <summary>The time of a CPU that it has used.</summary>
    public TimeSpan CpuTime => _kernelThread?.CpuTime ?? TimeSpan.Zero;

    /// <summary>Whether the caller is this thread.</summary>
    public bool IsCurrent => Thread.CurrentThread == _thread;

    /// <summary>What the thread waits in.</summary>
    protected Poller Poller { get; } = new();

    /// <summary>Whether the thread should come to its end.</summary>
    protected bool Stopping => _stopping;

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Gives the thread work, and does not wait.</summary>
    public void Post(Action work)
    {
        _work.Enqueue(work);
        if (_ended)
            DoWork(); // there is no thread any more to do it, and somebody may wait for it
        else
            _wake.Signal();
    }

    /// <summary>Gives the thread work and waits until it is done; does it at once if this is the thread.</summary>
    public void Invoke(Action work)
    {
        if (IsCurrent)
            work();
        else
            InvokeAsync(() => { work(); return true; }).GetAwaiter().GetResult();
    }

    /// <summary>Gives the thread work; the task ends when it is done, with its exception if there was one.</summary>
    public Task<T> InvokeAsync<T>(Func<T> work)
    {
        var done = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        ObjectDisposedException.ThrowIf(_stopping, this);
        Post(() =>
        {
            try
            {
                done.SetResult(work());
            }
#pragma warning disable CA1031 // whoever waits gets it
            catch (Exception e)
#pragma warning restore CA1031
            {
                done.SetException(e);
            }
        });
        return done.Task;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends the thread, after the work it has been given.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (_stopping)
            return;
        _stopping = true;
        _wake.Signal();
        if (_thread.IsAlive && !IsCurrent)
            _thread.Join();
        _ended = true;
        DoWork();
        Poller.Dispose();
        _wake.Dispose();
    }

    /// <summary>The thread's life, until <see cref="Stopping"/>.</summary>
    protected abstract void Run();

    /// <summary>Does the work that others gave.</summary>
    protected void DoWork()
    {
        while (_work.TryDequeue(out var work))
        {
            try
            {
                work();
            }
#pragma warning disable CA1031 // the thread must go on for everybody else
            catch (Exception e)
#pragma warning restore CA1031
            {
                Failed?.Invoke(e);
            }
        }
    }

    private void Bind()
    {
        try
        {
            if (Cpu is { } cpu)
                KernelThread.Bind(cpu);
        }
        catch (NativeException e)
        {
            Failed?.Invoke(e); // on another one it works as well
        }
    }

    private void RunGuarded()
    {
        _kernelThread = KernelThread.Current();
        Bind();
        while (!_stopping)
        {
            try
            {
                Run();
            }
#pragma warning disable CA1031 // as above
            catch (Exception e)
#pragma warning restore CA1031
            {
                Failed?.Invoke(e);
            }
        }
        DoWork();
    }
}
