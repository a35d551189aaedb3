using System.CommandLine;
using InterGuest.Agent.Block;
using InterGuest.Agent.Guests;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Commands;

/// <summary>`interguest-agent serve-block`.</summary>
internal static class ServeBlockCommand
{
    private const int LockMilliseconds = 50;

    // A VM has to set huge pages aside: these are thirteen.
    private const int SlotsInVm = 64, MaxDataInVm = 256 << 10;

    private static readonly GuestOptions Guest = new();
    private static readonly Option<string> Image = new("--image")
    {
        HelpName = "FILE|DEVICE",
        Description = "The disk: a raw image, or a block device",
        Required = true,
    };

    private static readonly Option<bool> ReadOnly = NumberOption.Flag("--read-only", "Clients may read only");
    private static readonly Option<bool> Cached = NumberOption.Flag("--cached",
        "Write through this host's page cache: faster, and lost with this host's power until a client flushes, as of a disk with a write cache. "
        + "Without it what a client was told is written is on the medium");
    private static readonly Option<long> Depth = NumberOption.Whole("--depth", "N", "Requests taken from clients at once", 128, 1, 250);
    private static readonly Option<long> Threads = NumberOption.Whole("--threads", "N", "Threads that wait for the medium: with --cached for all requests, else for those that are neither reads nor writes", 16, 1, 250);

    public static Command Create(AgentContext context)
    {
        var command = new Command("serve-block",
            "Serve a disk to the clients of a block-server port.\n\n"
            + "  truncate -s 10G disk.raw\n"
            + "  interguest-agent serve-block --port /run/interguest/ports/store.sock --image disk.raw\n\n"
            + "The image is locked: a second server waits until the first is gone, and nobody writes to it twice. An image that is made larger\n"
            + "while it is served is larger for clients a second later. Runs until Ctrl-C.") { Image, ReadOnly, Cached, Depth, Threads };
        command.Validators.Add(r =>
        {
            if (r.GetValue(ReadOnly) && r.GetValue(Cached))
                r.AddError("--cached is about writing, and --read-only forbids it: use one of them");
        });
        Guest.AddTo(command);
        command.SetAction((parsed, cancel) => RunAsync(context, parsed, cancel));
        return command;
    }

    private static async Task<int> RunAsync(AgentContext context, ParseResult parsed, CancellationToken cancel)
    {
        string path = Path.GetFullPath(parsed.GetValue(Image)!);
        var mode = parsed.GetValue(ReadOnly) ? ImageMode.ReadOnly : parsed.GetValue(Cached) ? ImageMode.Cached : ImageMode.Durable;
        using var image = Open(path, mode);
        if (!await LockAsync(image, path, context, cancel))
            return ExitCodes.Success;
        var options = new ServeBlockOptions { Slots = (int)parsed.GetValue(Depth), Threads = (int)parsed.GetValue(Threads) };
        if (Guest.IsPci(parsed))
            options = options with { Slots = Math.Min(options.Slots, SlotsInVm), MaxData = MaxDataInVm };
        using var guest = Guest.Make(parsed, (long)(options.Slots + 1) * (options.MaxData + Disk.PageBytes) + (1 << 20));
        using var role = new ServeBlockRole(options, new Disk(image, path, context.Log), context.Time, context.Log);
        context.Log.Say($"{path}: {image.Size()} bytes, blocks of {image.BlockBytes}, {Describe(image)}");
        await new RoleLoop(guest, context.Log).RunAsync(role, cancel);
        context.Log.Say($"{path}: {role.Served} requests served, {role.Failed} of them failed");
        return ExitCodes.Success;
    }

    private static ImageFile Open(string path, ImageMode mode)
    {
        ImageFile image;
        try
        {
            image = ImageFile.Open(path, mode);
        }
        catch (NativeException e)
        {
            throw new AgentException($"--image: {path}: {e.Reason}{(e.IsPermissionDenied && mode != ImageMode.ReadOnly ? "; --read-only needs fewer rights" : "")}", e);
        }
        catch (InvalidDataException e)
        {
            throw new AgentException($"--image: {path}: {e.Message}", e);
        }
        ulong size = image.Size();
        if (size != 0 && size % (uint)image.BlockBytes == 0)
            return image;
        int block = image.BlockBytes;
        image.Dispose();
        throw new AgentException(size == 0
            ? $"--image: {path} is empty: give it a size, for example with truncate -s 10G {path}"
            : $"--image: {path} has {size} bytes, which is not a multiple of {block}: truncate -s {(size / (uint)block + 1) * (uint)block} {path}");
    }

    private static string Describe(ImageFile image) => image.Mode switch
    {
        ImageMode.ReadOnly => "read-only",
        ImageMode.Cached => "cached",
        _ => image.IsDirect ? "durable, direct" : "durable, through the page cache: its file system has no direct I/O",
    };

    /// <returns>False if it is not to be waited for any longer.</returns>
    private static async Task<bool> LockAsync(ImageFile image, string path, AgentContext context, CancellationToken cancel)
    {
        try
        {
            if (image.TryLock())
                return true;
            context.Log.Say($"{path} is in use by another program, a server or a VM: waiting until it is gone (who it is: lslocks, or fuser -v {path})");
            while (!image.TryLock())
                await Task.Delay(LockMilliseconds, cancel);
            context.Log.Say($"{path} is free now");
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        catch (NativeException e)
        {
            throw new AgentException($"--image: {path} cannot be locked, so two servers could write to it: {e.Reason}. Put it on another file system", e);
        }
    }
}
