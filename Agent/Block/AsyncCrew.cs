using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Block;

/// <summary>
/// Does reads and writes past the page cache, all at once: the kernel does them, and one thread hears when they are over. What
/// it cannot do is somebody else's.
/// </summary>
internal sealed class AsyncCrew : IDisposable
{
    private const int PerWait = 64;

    private readonly AsyncImage _image;
    private readonly Action<ImageCompletion> _over;
    private readonly Action<int> _refused;
    private readonly Thread _thread;
    private readonly Unfinished _unfinished = new();
    private int _added;
    private volatile bool _ended;

    /// <summary>Starts the thread.</summary>
    /// <param name="image">Owned from now on.</param>
    /// <param name="over">Told, in that thread, of each that is over.</param>
    /// <param name="refused">Told of each that the kernel did not take.</param>
    public AsyncCrew(AsyncImage image, Action<ImageCompletion> over, Action<int> refused)
    {
        (_image, _over) = (image, over);
        _refused = number =>
        {
            refused(number);
            _unfinished.Finish(1);
        };
        _thread = new Thread(Run) { IsBackground = true, Name = "disk" };
        _thread.Start();
    }

    /// <summary>Asks for a read or write, with the next <see cref="Flush"/>.</summary>
    /// <inheritdoc cref="AsyncImage.Add"/>
    public void Add(int number, bool writes, Span<byte> data, long offset)
    {
        _image.Add(number, writes, data, offset);
        _added++;
    }

    /// <summary>Has begin what was added.</summary>
    public void Flush()
    {
        if (_added == 0)
            return;
        _unfinished.Add(_added);
        _added = 0;
        _image.Submit(_refused);
    }

    /// <summary>Waits until all are over, and were told.</summary>
    public void WaitUntilIdle()
    {
        Flush();
        _unfinished.Wait();
    }

    /// <summary>Ends the thread when all are over.</summary>
    public void Dispose()
    {
        WaitUntilIdle();
        _ended = true;
        _image.Wake();
        _thread.Join();
        _image.Dispose();
        _unfinished.Dispose();
    }

    private void Run()
    {
        var done = new ImageCompletion[PerWait];
        while (!_ended)
        {
            int count = _image.Wait(done);
            foreach (var one in done.AsSpan(0, count))
                _over(one);
            _unfinished.Finish(count);
        }
    }
}
