using System.Diagnostics;
using InterGuest.Virtio.Memory;

namespace InterGuest.Benchmarks;

/// <summary>
/// The question of the paper, section 4.1: would it be better to give the receiver the sender's pages than to copy? Compares a copy
/// with mapping the sender's pages in the receiver's place (mmap, MAP_FIXED), after which the receiver looks at each page once, as
/// it must with a copy. What a guest's own page tables, and other CPUs, would have to be told is not even counted.
/// </summary>
internal static class PageFlipBenchmark
{
    private const int Page = 4096, Arena = 64 << 20, ReadWrite = 3, Shared = 1, Fixed = 0x10;

    public static void Run(TimeSpan window)
    {
        using DriverMemory sender = new(Arena, 0), receiver = new(Arena, 0);
        sender.At(0, Arena).Fill(1);
        receiver.At(0, Arena).Fill(2);
        Console.WriteLine($"{"bytes",10}{"copy, ns",12}{"flip, ns",12}{"flip/copy",12}");
        for (int bytes = Page; bytes <= 4 << 20; bytes *= 4)
        {
            double copy = Time(window, bytes, at =>
            {
                Native.Copy(sender.At(at, bytes), receiver.At(at, bytes));
                Touch(receiver, at, bytes);
            });
            double flip = Time(window, bytes, at =>
            {
                Flip(sender, receiver, at, bytes);
                Touch(receiver, at, bytes);
            });
            Console.WriteLine($"{bytes,10}{copy,12:N0}{flip,12:N0}{flip / copy,12:N2}");
        }
    }

    private static double Time(TimeSpan window, int bytes, Action<ulong> move)
    {
        for (int warm = 0; warm < 100; warm++)
            move(0);
        long count = 0, started = Stopwatch.GetTimestamp();
        ulong at = 0;
        do
        {
            move(at);
            at = at + (ulong)bytes >= Arena ? 0 : at + (ulong)bytes;
            count++;
        }
        while (Stopwatch.GetElapsedTime(started) < window);
        return Stopwatch.GetElapsedTime(started).TotalNanoseconds / count;
    }

    private static void Touch(DriverMemory memory, ulong at, int bytes)
    {
        var span = memory.At(at, bytes);
        for (int i = 0; i < bytes; i += Page)
            Volatile.Read(ref span[i]);
    }

    private static void Flip(DriverMemory sender, DriverMemory receiver, ulong at, int bytes)
    {
        nint place = (nint)(receiver.Layout.UserAddress + at);
        if (Native.MMap(place, (nuint)bytes, ReadWrite, Shared | Fixed, (int)sender.File.DangerousGetHandle(), (long)at) != place)
            throw new InvalidOperationException("The pages cannot be mapped.");
    }
}
