using System.Text;
using Grpc.Core;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests.Commands;

public sealed class ApplyCommandTests : SwitchTest, IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public async Task TheFileIsSentAndTheChangesAreShown()
    {
        string file = Write("ports:\n  a: {queue_pairs: 4}\nlinks:\n  l: {ports: [a, b]}");
        Control.Applied.Changes.Add(
        [
            new Change { Kind = ChangeKind.Remove, Subject = SubjectKind.Port, Name = "old" },
            new Change
            {
                Kind = ChangeKind.Replace,
                Subject = SubjectKind.Port,
                Name = "a",
                Fields = { new FieldChange { Field = "queue_pairs", Before = "1", After = "4" } },
            },
            new Change
            {
                Kind = ChangeKind.Create,
                Subject = SubjectKind.Link,
                Name = "l",
                Fields = { new FieldChange { Field = "ports", After = "[a, b]" } },
            },
            new Change { Kind = ChangeKind.Replace, Subject = SubjectKind.Link, Name = "m", Reason = "port a is made again" },
        ]);
        Control.Applied.Left.Add(["port x", "link y"]);
        Assert.Equal(
            """
            - port old
            ! port a: queue_pairs 1 -> 4
            + link l: ports [a, b]
            ! link m: port a is made again
            1 created, 2 made again, 1 removed
            not in the file, and left: port x, link y (--prune removes them)

            """,
            await Cli().OutputAsync("apply", file));
        var request = Control.OnlyRequest<ApplyRequest>();
        Assert.Equal((false, false), (request.DryRun, request.Prune));
        Assert.Equal(4u, Assert.Single(request.Topology.Ports).QueuePairs);
        Assert.Equal(["a", "b"], Assert.Single(request.Topology.Links).Ports);
    }

    [Fact]
    public async Task ADryRunSaysWhatWouldBe()
    {
        Control.Applied.Changes.Add(new Change { Kind = ChangeKind.Create, Subject = SubjectKind.Port, Name = "a" });
        Assert.Equal("+ port a\n1 would be created\n", await Cli().OutputAsync("apply", Write("ports: {a: }"), "--dry-run", "--prune"));
        var request = Control.OnlyRequest<ApplyRequest>();
        Assert.Equal((true, true), (request.DryRun, request.Prune));
    }

    [Fact]
    public async Task NothingToChangeIsSaid() =>
        Assert.Equal("nothing to change\n", await Cli().OutputAsync("apply", Write("ports: {}")));

    [Fact]
    public async Task StandardInputIsAFileToo()
    {
        var run = new CliRun { Input = "ports: {a: }", Variables = { [InterGuest.Cli.Endpoint.Variable] = Switch.Endpoint } };
        await run.OutputAsync("apply", "-");
        Assert.Equal("a", Assert.Single(Control.OnlyRequest<ApplyRequest>().Topology.Ports).Name);
    }

    [Fact]
    public async Task AMistakeInTheFileIsSaidWithItsLineAndNothingIsAsked()
    {
        string file = Write("ports:\n  a:\n    queues: 4\n");
        var run = Cli();
        Assert.Equal(1, await run.RunAsync("apply", file));
        Assert.StartsWith($"interguest: {file}:3: port a: there is no 'queues' in it", run.Error.ToString());
        Assert.Empty(Control.Requests);
    }

    [Fact]
    public async Task WhatTheSwitchRefusesIsSaidWithItsLineToo()
    {
        string file = Write("ports:\n  a:\n    queue_pairs: 400\n");
        Control.Failure = new RpcException(
            new Grpc.Core.Status(StatusCode.InvalidArgument, "port a: queue_pairs: 400 is not between 1 and 128"),
            new Metadata { { "interguest-subject-bin", Encoding.UTF8.GetBytes("ports/a/queue_pairs") } });
        var run = Cli();
        Assert.Equal(1, await run.RunAsync("apply", file));
        Assert.Equal($"interguest: {file}:3: port a: queue_pairs: 400 is not between 1 and 128\n", run.Error.ToString());
    }

    [Fact]
    public async Task ExportIsAFileForApply()
    {
        Control.Exported.Ports.Add(new CreatePortRequest { Name = "a", QueuePairs = 2 });
        Assert.Equal("ports:\n  a:\n    queue_pairs: 2\nlinks: {}\n", await Cli().OutputAsync("export"));
    }

    public void Dispose() => _directory.Dispose();

    private string Write(string text)
    {
        string path = _directory.Path("lan.yaml");
        File.WriteAllText(path, text);
        return path;
    }
}
